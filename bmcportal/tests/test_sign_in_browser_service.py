"""Second factors in Chromium: an app's code, a security key, and the pages where they are added."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from apps.accounts.models import User
from apps.accounts.tests.second_factor import app_add, app_code, policy_asks
from apps.audit.models import AuditEntry
from apps.clusters.choices import Role
from apps.core.testing import PASSWORD
from bmcportal.tests.browser import AXE, LivePortal, Visitor, is_wider_than_its_window

pytestmark = [
    pytest.mark.service,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(180),
]
Visit = Callable[..., Visitor]


@pytest.fixture
def visit(portal: LivePortal, browser: Browser) -> Iterator[Visit]:
    """As elsewhere, by the name "localhost": keys are bound to names, not to addresses."""
    visitors: list[Visitor] = []

    def start(path: str = "/", **options: Any) -> Visitor:
        url = portal.url.replace("127.0.0.1", "localhost")
        visitors.append(Visitor(browser, url, **options))
        visitors[-1].page.goto(path)
        return visitors[-1]

    yield start
    for visitor in visitors:
        visitor.close()
    assert not [text for visitor in visitors for text in visitor.complaints]


def password_send(page: Page, name: str = "admin") -> None:
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def key_plug_in(page: Page) -> None:
    """Give this page a security key that is touched at once."""
    chromium = page.context.new_cdp_session(page)
    chromium.send("WebAuthn.enable")
    key = {
        "protocol": "ctap2",
        "transport": "usb",
        "hasResidentKey": False,
        "hasUserVerification": False,
        "automaticPresenceSimulation": True,
    }
    chromium.send("WebAuthn.addVirtualAuthenticator", {"options": key})


def test_a_person_signs_in_with_the_code_of_an_app(visit: Visit, admin: User) -> None:
    app_add(admin)
    page = visit("/servers/?q=web").page
    password_send(page)
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()

    page.get_by_label("Code").fill(app_code())
    page.get_by_role("button", name="Sign in").click()

    expect(page).to_have_url(re.compile(r"/servers/\?q=web$"))
    assert AuditEntry.objects.get(action="accounts.sign_in").after == {
        "proofs": ["password", "totp"]
    }


def test_who_needs_a_second_factor_adds_a_key_and_signs_in_with_it(
    visit: Visit, admin: User
) -> None:
    policy_asks(Role.ADMIN)
    page = visit().page
    key_plug_in(page)
    password_send(page)
    expect(page.get_by_text("Your role needs a second factor.")).to_be_visible()

    page.get_by_role("link", name="Add security key").click()
    page.get_by_label("Name of the key").fill("blue key")
    page.get_by_role("button", name="Add security key").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    expect(page.locator(".bp-codes li")).to_have_count(10)
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("listitem").filter(has_text="blue key")).to_be_visible()

    page.locator("summary.bp-who").click()
    page.get_by_role("button", name="Sign out").click()
    password_send(page)
    page.get_by_role("button", name="Use a security key").click()

    expect(page).to_have_url(re.compile(r"/servers/$"))
    entry = AuditEntry.objects.filter(action="accounts.sign_in").order_by("pk").last()
    assert entry is not None
    assert entry.after == {"proofs": ["password", "webauthn"]}


def test_a_key_of_somebody_else_opens_nothing(visit: Visit, admin: User) -> None:
    page = visit().page
    key_plug_in(page)
    password_send(page)
    page.goto("/account/security/keys")
    page.get_by_label("Name of the key").fill("blue key")
    page.get_by_role("button", name="Add security key").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()

    stranger = visit().page
    key_plug_in(stranger)
    password_send(stranger)
    stranger.get_by_role("button", name="Use a security key").click()

    expect(stranger.get_by_role("alert")).to_contain_text("did not answer, or it was refused")
    stranger.goto("/servers/")
    expect(stranger).to_have_url(re.compile("/account/sign-in"))


def test_a_person_adds_an_app_and_changes_the_password(visit: Visit, admin: User) -> None:
    page = visit("/account/security").page
    password_send(page)
    page.get_by_role("link", name="Add app").click()
    expect(page.get_by_alt_text("QR code of the key below")).to_be_visible()
    assert page.evaluate("document.querySelector('.bp-qr').naturalWidth") > 0
    _looked_at(page, None)
    seed = page.locator(".card p.mono").inner_text().replace(" ", "")
    page.get_by_label("Code").fill(app_code(seed))
    page.get_by_role("button", name="Add app").click()
    expect(page.locator(".bp-codes li")).to_have_count(10)
    _looked_at(page, None)

    page.goto("/account/security/password")
    page.get_by_label("Password now").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill("another long passphrase")
    page.get_by_label("New password again").fill("another long passphrase")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("The password is changed.")).to_be_visible()


PAGES = [
    "/account/security", "/account/security/keys",
    "/account/security/password", "/account/confirm", "/account/security/app/remove",
]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_the_way_in_have_no_serious_findings_and_fit_small_screens(
    visit: Visit, admin: User, scheme: str
) -> None:
    app_add(admin)
    visitor = visit(color_scheme=scheme, viewport={"width": 390, "height": 844})
    page = visitor.page
    _looked_at(page, "/account/sign-in")
    password_send(page)
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    _looked_at(page, "/account/second-factor")
    page.get_by_label("Code").fill("12")
    page.get_by_role("button", name="Sign in").click()
    _looked_at(page, None)
    page.get_by_label("Code").fill(app_code())
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/servers/$"))
    for path in PAGES:
        _looked_at(page, path)


def _looked_at(page: Page, path: str | None) -> None:
    if path is not None:
        page.goto(path)
    found = Axe().run(page, options=AXE).response["violations"]
    assert not [(path, one["id"], one["nodes"][0]["html"]) for one in found]
    assert not is_wider_than_its_window(page), path
