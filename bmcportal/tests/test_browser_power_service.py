"""Power orders in Chromium: the countdown, cancelling, the typed name, and every page of them."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from apps.accounts.models import User
from apps.bmc import PowerAction
from apps.core.dbtime import now_plus
from apps.core.testing import make_cluster, make_server
from apps.inventory.models import Server, ServerStatus, Tag
from apps.jobs.choices import TargetState
from apps.jobs.models import Job, JobTarget
from apps.power.services import identify_order, power_order
from bmcportal.tests.browser import AXE, is_wider_than_its_window
from bmcportal.tests.conftest import Visit

pytestmark = [
    pytest.mark.service,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(180),
]


def web(name: str, **fields: Any) -> Server:
    status = {"power": "on", "last_power": "on", "fault": "", "power_read_at": now_plus(0)}
    return make_server(name=name, cluster=make_cluster("web"), status=status, **fields)


def test_an_order_counts_down_and_is_cancelled(visit: Visit, operator: User, settings: Any) -> None:
    settings.POWER_GRACE_SECONDS = 60
    server = web("web-1")
    page = visit(operator, f"/servers/{server.pk}/").page
    page.get_by_role("link", name="Reset").click()
    expect(page.locator("dialog")).to_contain_text("Sent 60 s after you confirm.")
    page.locator("dialog button[data-sends]").click()
    orders = page.locator(f"#server-orders-{server.pk}")
    expect(orders).to_contain_text("Reset is sent in 5")
    first = orders.locator("time[data-countdown]").inner_text()
    expect(orders.locator("time[data-countdown]")).not_to_have_text(first)  # it ticks
    orders.get_by_role("button", name="Cancel").click()
    expect(orders).to_contain_text("Reset stopped")
    expect(orders).to_contain_text("Nothing was sent.")
    assert JobTarget.objects.get().state == TargetState.CANCELLED


def test_who_may_only_look_sees_the_countdown_without_its_button(
    visit: Visit, operator: User, readonly: User
) -> None:
    server = web("web-1")
    power_order(server=server, action=PowerAction.OFF, actor=operator, grace_seconds=60)
    page = visit(readonly, f"/servers/{server.pk}/").page
    expect(page.locator(f"#server-orders-{server.pk}")).to_contain_text("is sent in")
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()


def test_without_javascript_the_time_stands_there_and_cancel_works(
    visit: Visit, operator: User
) -> None:
    server = web("web-1")
    power_order(server=server, action=PowerAction.OFF, actor=operator, grace_seconds=60)
    page = visit(operator, f"/servers/{server.pk}/", java_script_enabled=False).page
    orders = page.locator(f"#server-orders-{server.pk}")
    release = JobTarget.objects.get().release_at
    expect(orders).to_contain_text(f"is sent at {release:%H:%M:%S} UTC")
    orders.get_by_role("button", name="Cancel").click()
    expect(orders).to_contain_text("Hard power off stopped")


def test_in_production_the_button_waits_for_the_name_and_enter_does_nothing(
    visit: Visit, operator: User
) -> None:
    server = web("web-1")
    server.tags.add(Tag.objects.create(name="prod"))
    page = visit(operator, f"/servers/{server.pk}/").page
    page.get_by_role("link", name="Hard off").click()
    field, button = page.locator("input[name=typed_name]"), page.locator("button[data-sends]")
    expect(field).to_be_focused()
    expect(button).to_be_disabled()
    page.keyboard.type("web-")
    expect(button).to_be_disabled()
    page.keyboard.type("1")
    expect(button).to_be_enabled()
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_be_visible()
    assert not Job.objects.exists()
    button.click()
    expect(page.locator(f"#server-orders-{server.pk}")).to_contain_text("Hard power off ordered")
    assert Job.objects.count() == 1


def test_identify_asks_nothing_and_says_that_it_was_asked_for(visit: Visit, user: User) -> None:
    server = web("web-1")
    page = visit(user, f"/servers/{server.pk}/").page
    page.get_by_role("button", name="Identify").click()
    expect(page.locator(".bp-toast")).to_contain_text("Asked for the identify light of web-1.")
    assert Job.objects.get().params == {"seconds": 15}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_of_an_order_is_accessible_and_fits(
    visit: Visit, admin: User, theme: str
) -> None:
    User.objects.filter(pk=admin.pk).update(theme=theme)
    prod, guarded, swapped = web("web-prod"), web("web-guarded"), web("web-swapped", guid="a" * 32)
    prod.tags.add(Tag.objects.create(name="prod"))
    Server.objects.filter(pk=guarded.pk).update(is_protected=True, protected_reason="payroll")
    ServerStatus.objects.filter(pk=swapped.pk).update(
        power="unknown", fault="wrong_identity", fault_params={"guid": "b" * 32, "serial": "S" * 64}
    )
    power_order(
        server=prod, action=PowerAction.SOFT_OFF, actor=admin, grace_seconds=300, escalate=True
    )
    identify_order(server=prod, actor=admin)
    JobTarget.objects.filter(job__kind="identify").update(
        state=TargetState.SUCCEEDED, ended_at=now_plus(0), result="verified"
    )
    paths = [
        f"/servers/{prod.pk}/", f"/servers/{prod.pk}/power/soft_off/",
        f"/servers/{prod.pk}/power/off/", f"/servers/{guarded.pk}/",
        f"/servers/{guarded.pk}/power/off/", f"/servers/{swapped.pk}/",
        f"/servers/{swapped.pk}/accept-machine", f"/servers/{swapped.pk}/power/off/",
    ]  # fmt: skip
    page, faults = visit(admin, "/").page, []
    for path in paths:
        page.goto(path)
        for width in (1440, 390, 320):
            page.set_viewport_size({"width": width, "height": 844})
            if is_wider_than_its_window(page):
                faults.append(f"{path} scrolls sideways at {width}")
            found = Axe().run(page, options=AXE).response["violations"] if width > 320 else []
            faults += [
                f"{path} {width} {rule['id']}: {rule['nodes'][0]['html'][:140]}" for rule in found
            ]
    assert not faults, "\n".join(faults)
