"""Racks, forms that two people have open, and many servers at once, in Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from apps.accounts.models import User
from apps.core.testing import make_cluster, make_profile, make_server, make_site
from apps.inventory.choices import Power
from apps.inventory.models import CustomField, Rack, Server, ServerSelection
from apps.inventory.services import PowerReading, RackFacts, rack_update, status_record
from bmcportal.tests.browser import AXE, Visitor, apart, is_wider_than_its_window
from bmcportal.tests.test_browser_service import LIVE_MS

pytestmark = [
    pytest.mark.service,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(300),
]

Visit = Callable[..., Visitor]


def make_hall(admin: User) -> Rack:
    """A rack with every state, a chassis, a hidden place, and fields of every kind."""
    web = make_cluster("web")
    rack = Rack.objects.create(site=make_site(), name="B07", units=12, feeds=["A", "B"])
    rack_update(actor=admin, rack=rack, facts=RackFacts(rack.site, "B07", 12, ("A", "B"), "aisle"))
    for name, unit in (("web-on", 1), ("web-off", 3), ("web-new", 5), ("blade-1", 8)):
        make_server(name=name, cluster=web, rack=rack, rack_unit=unit, unit_count=2)
    make_server(name="blade-2", cluster=web, rack=rack, rack_unit=8, unit_count=2)
    make_server(name="hidden", cluster=make_cluster("third"), rack=rack, rack_unit=11)
    ids = dict(Server.objects.values_list("name", "pk"))
    status_record(
        [PowerReading(ids["web-on"], Power.ON), PowerReading(ids["web-off"], Power.OFF)],
        push=False,
    )
    for kind in ("text", "number", "date", "flag", "choice"):
        options = ["a"] if kind == "choice" else []
        CustomField.objects.create(key=kind, label=f"Some {kind}", kind=kind, options=options)
    return rack


def selection_of(user: User) -> str:
    ids = list(Server.objects.values_list("pk", flat=True))
    return str(ServerSelection.objects.create(user=user, ids=ids).pk)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible_and_fit(visit: Visit, admin: User, theme: str) -> None:
    rack, profile = make_hall(admin), make_profile()
    User.objects.filter(pk=admin.pk).update(theme=theme)
    server, field = Server.objects.get(name="web-on"), CustomField.objects.first()
    assert field is not None
    paths = [
        "/racks/", f"/racks/{rack.pk}/", f"/racks/{rack.pk}/edit", f"/racks/{rack.pk}/delete",
        f"/racks/{rack.pk}/history", "/racks/add", f"/servers/{server.pk}/",
        f"/servers/{server.pk}/edit", f"/servers/{server.pk}/history",
        f"/servers/{server.pk}/delete", "/fields/", "/fields/add", f"/fields/{field.pk}/edit",
        f"/fields/{field.pk}/delete", "/clusters/", "/sites/", f"/sites/{rack.site_id}/",
        f"/sites/{rack.site_id}/edit", f"/profiles/{profile.pk}/edit",
        f"/profiles/{profile.pk}/delete", f"/servers/bulk/edit?selection={selection_of(admin)}",
        f"/servers/bulk/delete?selection={selection_of(admin)}",
    ]  # fmt: skip
    page = visit(admin, "/racks/").page
    faults = []
    for path in paths:
        page.goto(path)
        assert page.locator("h1").count() == 1, path
        for width in (1440, 390, 320):
            page.set_viewport_size({"width": width, "height": 844})
            if is_wider_than_its_window(page):
                faults.append(f"{path} scrolls sideways at {width}")
            if width == 320:
                continue
            found = Axe().run(page, options=AXE).response["violations"]
            faults += [
                f"{path} {width} {rule['id']}: {rule['nodes'][0]['html'][:140]}" for rule in found
            ]
    assert not faults, "\n".join(faults)


def test_a_reading_changes_the_drawing_and_the_table_of_a_rack(
    visit: Visit, operator: User, admin: User
) -> None:
    rack = make_hall(admin)
    server = Server.objects.get(name="web-on")
    page = visit(operator, f"/racks/{rack.pk}/").page
    expect(page.locator("#live-sign")).to_have_text("Live")
    slot = page.locator(f"#rack-slot-{server.pk}")
    expect(slot.locator("rect.s-on")).to_have_count(1)
    slot.locator("a").focus()
    apart(status_record, [PowerReading(server.pk, Power.OFF)])
    expect(slot.locator("rect.s-off")).to_have_count(1, timeout=LIVE_MS)
    expect(page.locator(f"#server-{server.pk} .bp-state")).to_have_text("Off")
    expect(slot.locator("a")).to_be_focused()
    expect(page.get_by_text("hidden")).to_have_count(0)


def test_two_who_edit_the_same_server_lose_nothing(
    visit: Visit, operator: User, admin: User
) -> None:
    make_hall(admin)
    server = Server.objects.get(name="web-on")
    first, second = (
        visit(person, f"/servers/{server.pk}/edit").page for person in (operator, admin)
    )
    second.get_by_label("Model").fill("theirs")
    second.get_by_role("button", name="Save").click()
    second.wait_for_url(f"**/servers/{server.pk}/")
    first.get_by_label("Model").fill("mine")
    first.get_by_role("button", name="Save").click()
    notice = first.locator(".bp-stale")
    expect(notice).to_contain_text("admin saved this while your form was open.")
    expect(notice).to_be_focused()
    expect(first.get_by_label("Model")).to_have_value("mine")
    first.get_by_role("button", name="Save mine over it").click()
    first.wait_for_url(f"**/servers/{server.pk}/")
    server.refresh_from_db()
    assert server.model == "mine"


def test_a_rack_removed_while_its_form_was_open_gives_the_text_back(
    visit: Visit, admin: User
) -> None:
    rack = Rack.objects.create(site=make_site(), name="B08")
    page = visit(admin, f"/racks/{rack.pk}/edit").page
    page.get_by_label("Notes").fill("a long thought")
    rack.delete()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#form-gone")).to_contain_text("a long thought")
    expect(page.locator("#form-gone")).to_be_focused()


def test_tags_are_completed_one_by_one(visit: Visit, operator: User, admin: User) -> None:
    make_hall(admin)
    Server.objects.get(name="web-on").tags.create(name="prod")
    page = visit(operator, "/servers/add").page
    page.get_by_label("Tags").fill("lab, p")
    values = page.locator("#tag-names option").evaluate_all("all => all.map((one) => one.value)")
    assert values == ["lab, prod"]


def test_without_javascript_many_servers_are_changed_with_plain_pages(
    visit: Visit, operator: User, admin: User
) -> None:
    make_hall(admin)
    path = f"/servers/bulk/edit?selection={selection_of(operator)}"
    page = visit(operator, path, java_script_enabled=False).page
    page.get_by_label("Model: what happens to it").select_option("set")
    page.get_by_label("Model: new value").fill("R760")
    page.get_by_role("button", name="Review what changes").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("5 servers change")
    page.get_by_role("button", name="Change 5 servers").click()
    expect(page.get_by_text("5 servers changed.")).to_be_visible()
    assert Server.objects.filter(model="R760").count() == 5
    assert Server.objects.get(name="hidden").model == ""


def test_removing_opens_a_dialog_that_enter_does_not_confirm(visit: Visit, admin: User) -> None:
    rack = Rack.objects.create(site=make_site(), name="B08")
    page = visit(admin, f"/racks/{rack.pk}/").page
    page.get_by_role("link", name="Remove").click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert Rack.objects.exists()
    page.get_by_role("link", name="Remove").click()
    page.get_by_role("button", name=re.compile("^Remove from")).click()
    page.wait_for_url("**/racks/")
    assert not Rack.objects.exists()
