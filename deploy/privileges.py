"""Write docs/privileges.md from the privilege table; `--check` says whether it is up to date.

The table is `bmcportal/tests/privileges/`; every row of it is asked for real by the tests.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bmcportal.tests.privileges.rows import Area, Row, Socket

ROOT: Final = Path(__file__).resolve().parent.parent
TARGET: Final = ROOT / "docs" / "privileges.md"
WORDS: Final = {
    200: "✓", 201: "✓", 202: "✓", 204: "✓", 302: "✓", 303: "✓",
    401: "sign in", 403: "–", 404: "hidden", 409: "not now", 422: "not so",
}  # fmt: skip
HEAD: Final = """# Who may do what

Written by `python deploy/privileges.py` from the table that the tests ask for real, row by row:
do not edit it here.

* Columns: **admin** (everywhere); **operator**, **user**, **readonly** of the cluster in which
  the object is; **outsider**, who is operator of another cluster; **nobody**, who is not signed
  in. Who was disabled is answered as nobody is, with a session and with every token.
* ✓ done or shown · – refused (403) · *hidden*: answered as if it were not there (404) · *sign
  in*: sent to the sign-in page, or 401 from the REST API · *not so*: the role would do, what is
  sent does not (422) · *not now*: something keeps it from being done (409).
* Whatever is refused leaves nothing behind, and no change is taken without the token of a form
  (CSRF); API tokens need none.
* A method that is not listed is refused. `HEAD` is answered as `GET` is.
* With an API token every row of the REST API is answered as with a session of the same person,
  never above the role the token was made for.
"""


def text() -> str:
    # Imported here: Django must be set up first.
    from bmcportal.tests.privileges import AREAS
    from bmcportal.tests.privileges.admin import EACH, MODELS
    from bmcportal.tests.privileges.sockets import SOCKETS

    areas = ["\n".join(_area(area)) for area in AREAS if area not in EACH]
    return "\n".join([HEAD, *areas, *_models(MODELS), "", *_sockets(SOCKETS), ""])


def _area(area: Area) -> Iterator[str]:
    from bmcportal.tests.privileges.rows import CAST

    yield f"## {area.title}\n"
    if area.told:
        yield f"{area.told}\n"
    yield f"| method | path | {' | '.join(CAST)} | |"
    yield f"|---|---|{'---|' * len(CAST)}---|"
    for row in area.rows:
        yield f"| {row.method} | `/{row.path}` | {' | '.join(_cells(row))} | {row.note} |"
    yield ""


def _cells(row: Row) -> Iterator[str]:
    for who, status in row.answers._asdict().items():
        yield "sign in" if who == "nobody" and row.is_to_the_door else WORDS[status]


def _models(models: dict[str, frozenset[str]]) -> Iterator[str]:
    yield "What an admin does with each model there; nobody else sees any of it.\n"
    yield "| model | look | add | change | delete |"
    yield "|---|---|---|---|---|"
    for label, may in models.items():
        cells = ("✓" if verb in may else "–" for verb in ("add", "change", "delete"))
        yield f"| `{label}` | ✓ | {' | '.join(cells)} |"


def _sockets(sockets: Sequence[Socket]) -> Iterator[str]:
    from bmcportal.tests.privileges.rows import CAST

    yield "## Sockets\n"
    yield "✓ gets what changes at a server of the cluster · *hidden*: gets none of it · "
    yield "*sign in*: is closed.\n"
    yield f"| path | {' | '.join(CAST)} | |"
    yield f"|---|{'---|' * len(CAST)}---|"
    for one in sockets:
        yield f"| `/{one.path}` | {' | '.join(one.answers)} | {one.told} |"


def main() -> None:
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bmcportal.settings_test")
    import django

    django.setup()
    told = text()
    if "--check" in sys.argv[1:]:
        if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != told:
            raise SystemExit("docs/privileges.md is not up to date: python deploy/privileges.py")
        return
    TARGET.write_text(told, encoding="utf-8")
    print(f"{TARGET.relative_to(ROOT)}: {told.count(chr(10) + '| ')} lines")


if __name__ == "__main__":
    main()
