"""People, tokens and the audit in Chromium: a person comes in by a link, and every page fits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from apps.accounts.models import AccessPolicy, User
from apps.accounts.services import api_token_create
from apps.accounts.tests.second_factor import app_add
from apps.audit.worker import seal
from apps.clusters.choices import Role
from apps.core.testing import PASSWORD, make_cluster, make_user
from bmcportal.tests.browser import Visitor, faults_of

pytestmark = [
    pytest.mark.service,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(240),
]

Visit = Callable[..., Visitor]


def pages_of(person: User) -> list[str]:
    one = f"/people/{person.pk}/"
    return [
        "/people/", "/people/?q=nothing-like-it", "/people/new", "/people/invitations",
        "/people/invitations/new", "/people/policy", one, f"{one}edit", f"{one}roles",
        f"{one}disable", f"{one}link", f"{one}sign-out", f"{one}history", "/audit/",
        "/audit/?q=nothing-like-it", "/account/", "/account/sessions", "/account/tokens",
        "/account/tokens/add", "/account/security", "/invitation/no-such-key",
    ]  # fmt: skip


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible_and_fit(visit: Visit, admin: User, theme: str) -> None:
    User.objects.filter(pk=admin.pk).update(theme=theme)
    AccessPolicy.objects.create(pk=1, registration="invitation")
    person = make_user("ben", Role.OPERATOR, make_cluster("a cluster with quite a long name"))
    app_add(admin)
    api_token_create(user=admin, days=9, name="nightly inventory")
    seal()
    visitor = visit(admin, "/people/")
    faults = []
    for path in pages_of(person):
        visitor.page.goto(path)
        assert visitor.page.locator("h1").count() == 1, path
        faults += faults_of(visitor.page, path)
    assert not faults, "\n".join(faults)


def test_a_person_is_added_comes_in_by_the_link_and_is_out_when_disabled(
    visit: Visit, admin: User
) -> None:
    make_cluster("web")
    page = visit(admin, "/people/").page
    page.get_by_role("link", name="Add person").click()
    page.get_by_label("User name").fill("carla")
    page.get_by_role("button", name="Add person and make a link").click()
    address = page.get_by_label("With it they set their password").input_value()

    hers = visit(None, "/").page
    hers.goto(address.strip())
    for field in hers.locator("input[type=password]").all():
        field.fill(PASSWORD)
    hers.get_by_role("button", name="Set the password").click()
    expect(hers.get_by_role("heading", level=1)).to_have_text("Sign in")
    hers.get_by_label("User name").fill("carla")
    hers.get_by_label("Password").fill(PASSWORD)
    hers.keyboard.press("Enter")
    expect(hers.get_by_role("heading", level=1)).to_have_text("Servers")

    carla = User.objects.get(username="carla")
    page.goto(f"/people/{carla.pk}/")
    page.get_by_role("link", name="Disable").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("left the company")
    dialog.get_by_role("button", name="Disable").click()
    expect(page.get_by_text("Disabled").first).to_be_visible()
    hers.goto("/")
    expect(hers.get_by_role("heading", level=1)).to_have_text("Sign in")
