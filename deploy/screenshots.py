"""Take the pictures of docs/screenshots from a running demo; needs Chromium and the dev packages.

usage: make demo, then: screenshots.py http://localhost:8000 PASSWORD
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, expect, sync_playwright

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
WIDE, NARROW = (1440, 900), (390, 844)
FLAGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def main() -> int:
    url, password = sys.argv[1:3]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for suffix, theme, size in (
            ("", "light", WIDE), ("-dark", "dark", WIDE), ("-390", "light", NARROW),
        ):  # fmt: skip
            tour(browser, url, password, suffix, theme, size)
        browser.close()
    return 0


def tour(
    browser: Browser, url: str, password: str, suffix: str, theme: str, size: tuple[int, int]
) -> None:
    """Walk from sign-in to a confirmation and picture each page."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(url)
    picture(page, f"sign-in{suffix}")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/servers/")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    picture(page, f"servers{suffix}")
    if not suffix:
        order_soft_off(page)
    page.goto(f"{url}/servers/")
    page.click("a:text('web-eu-001')")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    picture(page, f"server{suffix}")
    page.goto(f"{url}/servers/?power=on")
    page.click("a:text('kvm-eu-002')")
    page.click("text=Soft off")
    expect(page.get_by_role("dialog")).to_be_visible()
    picture(page, f"confirm{suffix}")
    page.goto(f"{url}/racks/")
    page.click("a:text-is('A01')")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    picture(page, f"rack{suffix}")
    page.goto(f"{url}/servers/?q=@rack:A01+%26+@power:on")
    for box in page.locator("input[name=ids]").all()[1:4]:
        box.check()
    expect(page.get_by_text("3 selected")).to_be_visible()
    picture(page, f"selection{suffix}")
    for name, path in (("people", "/people/"), ("audit", "/audit/"), ("tokens", "/account/tokens")):
        page.goto(f"{url}{path}")
        picture(page, f"{name}{suffix}")
    context.close()


def order_soft_off(page: Page) -> None:
    """Order a soft off and picture the page while it is verified."""
    page.click("a:text('web-eu-001')")
    page.click("text=Soft off")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=re.compile("^Soft off")).click()
    expect(page.get_by_text("Shutting down").first).to_be_visible(timeout=20_000)
    picture(page, "shutting-down")
    expect(page.get_by_text("Shutting down")).to_have_count(0, timeout=120_000)


def picture(page: Page, name: str) -> None:
    page.wait_for_timeout(600)  # fonts and the 120 ms fades
    page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    sys.exit(main())
