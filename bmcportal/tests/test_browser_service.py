"""The portal in Chromium: sign in, order by keyboard, follow live, both themes, small screens."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import WebSocketRoute, expect

from apps.accounts.models import User
from apps.bmc import PowerState
from apps.core.dbtime import now_plus
from apps.core.testing import (
    PASSWORD,
    make_cluster,
    make_profile,
    make_server,
)
from apps.inventory.choices import Power
from apps.inventory.models import Server, ServerStatus
from apps.inventory.services import PowerFault, PowerReading, servers_changed, status_record
from apps.jobs.models import Job
from apps.jobs.worker.thread import RunnerThread
from apps.simulator.thread import FleetThread
from bmcportal.tests.browser import AXE, Visitor, apart, faults_of, is_wider_than_its_window

pytestmark = [
    pytest.mark.service,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(180),
]

Visit = Callable[..., Visitor]
LIVE_MS = 5_000


def make_fleet() -> dict[str, Server]:
    """One server of each kind that a page must explain."""
    web = make_cluster("web")
    profile = make_profile(name="lab")
    servers = {
        name: make_server(name=name, cluster=web, profile=profile)
        for name in ("web-on", "web-off", "web-silent", "web-refused", "web-busy", "web-new")
    }
    status_record(
        [
            PowerReading(servers["web-on"].pk, Power.ON),
            PowerReading(servers["web-off"].pk, Power.OFF),
            PowerReading(servers["web-busy"].pk, Power.ON),
            PowerReading(servers["web-silent"].pk, Power.ON),
            PowerFault(servers["web-refused"].pk, "auth_failed"),
        ],
        push=False,
    )
    status_record([PowerFault(servers["web-silent"].pk, "unreachable")], push=False)
    servers["web-busy"].status.__class__.objects.filter(server=servers["web-busy"]).update(
        transition="shutting_down", transition_at="2026-01-01T00:00:00Z"
    )
    return servers


# -------------------------------------------------------------------- the way in


def test_a_person_signs_in_with_the_form_and_out_again(visit: Visit, operator: User) -> None:
    page = visit(None, "/").page
    expect(page).to_have_title(re.compile("Sign in"))
    page.get_by_label("User name").fill("operator")
    page.get_by_label("Password").fill("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Name or password is not right")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Servers")
    page.locator("summary.bp-who").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


# -------------------------------------------------------------------- every page, every size


def pages_of(servers: dict[str, Server]) -> list[str]:
    on, silent = servers["web-on"].pk, servers["web-silent"].pk
    return [
        "/", "/?q=nothing-like-it", f"/servers/{on}/", f"/servers/{silent}/",
        f"/servers/{servers['web-busy'].pk}/", f"/servers/{on}/power/soft_off/",
        f"/servers/{on}/power/off/", f"/servers/{on}/edit", f"/servers/{on}/delete",
        "/servers/add", "/profiles/", "/profiles/add", "/clusters/", "/clusters/add", "/sites/",
        "/nothing-here",
    ]  # fmt: skip


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible_and_fit(visit: Visit, admin: User, theme: str) -> None:
    servers = make_fleet()
    User.objects.filter(pk=admin.pk).update(theme=theme)
    visitor = visit(admin, "/")
    faults = []
    for path in pages_of(servers):
        visitor.page.goto(path)
        assert visitor.page.locator("html").get_attribute("data-bs-theme") in (theme, "light")
        assert visitor.page.locator("h1").count() == 1, path
        faults += faults_of(visitor.page, path)
    assert not faults, "\n".join(faults)


def test_sign_in_is_accessible_and_fits(visit: Visit, db: None) -> None:
    page = visit(None, "/").page
    for width in (1440, 390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        assert not is_wider_than_its_window(page)
        assert not Axe().run(page, options=AXE).response["violations"]


def test_an_open_dialog_is_accessible(visit: Visit, operator: User) -> None:
    servers = make_fleet()
    page = visit(operator, f"/servers/{servers['web-on'].pk}/").page
    page.get_by_role("link", name="Hard off").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 844})
        assert not Axe().run(page, options=AXE).response["violations"]


def test_chinese_pages_speak_chinese(visit: Visit, operator: User) -> None:
    servers = make_fleet()
    page = visit(operator, "/", locale="zh-CN").page
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    row = page.locator(f"#server-{servers['web-silent'].pk}")
    expect(row).to_contain_text("未知")
    expect(row).to_contain_text("BMC 无应答。")


# -------------------------------------------------------------------- keyboard


def test_slash_finds_and_j_k_enter_open(visit: Visit, operator: User) -> None:
    make_fleet()
    page = visit(operator, "/").page
    page.keyboard.press("/")
    expect(page.locator("#server-query")).to_be_focused()
    page.keyboard.type("web-o")
    expect(page.locator("tbody")).to_have_count(2)
    page.locator("#server-query").blur()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("tbody.is-cursor")).to_contain_text("web-on")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("web-on")


def test_escape_closes_the_dialog_and_focus_returns(visit: Visit, operator: User) -> None:
    servers = make_fleet()
    page = visit(operator, f"/servers/{servers['web-on'].pk}/").page
    opener = page.get_by_role("link", name="Soft off")
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()
    assert not Job.objects.exists()


def test_enter_right_after_opening_orders_nothing(visit: Visit, operator: User) -> None:
    servers = make_fleet()
    page = visit(operator, f"/servers/{servers['web-on'].pk}/").page
    page.get_by_role("link", name="Hard off").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert not Job.objects.exists()


def test_without_javascript_an_order_is_given_with_plain_pages(
    visit: Visit, operator: User
) -> None:
    servers = make_fleet()
    visitor = visit(operator, f"/servers/{servers['web-on'].pk}/", java_script_enabled=False)
    visitor.page.get_by_role("link", name="Soft off").click()
    expect(visitor.page.get_by_role("heading", level=1)).to_contain_text("Soft off web-on?")
    visitor.page.get_by_role("button", name="Soft off").click()
    expect(visitor.page.locator(".bp-orders")).to_contain_text("Soft off ordered")
    assert Job.objects.get().params == {"action": "soft_off"}


def test_after_the_session_ended_a_dialog_leads_to_sign_in_and_back(
    visit: Visit, operator: User
) -> None:
    servers = make_fleet()
    visitor = visit(operator, f"/servers/{servers['web-on'].pk}/")
    visitor.context.clear_cookies()
    visitor.page.get_by_role("link", name="Soft off").click()
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Sign in")
    visitor.page.get_by_label("User name").fill("operator")
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("web-on")


# -------------------------------------------------------------------- live


def test_a_reading_appears_in_the_list_and_keeps_the_focus(visit: Visit, operator: User) -> None:
    servers = make_fleet()
    page = visit(operator, "/").page
    expect(page.locator("#live-sign")).to_have_text("Live")
    row = page.locator(f"#server-{servers['web-on'].pk}")
    row.get_by_role("link").focus()
    apart(status_record, [PowerFault(servers["web-on"].pk, "unreachable")])
    expect(row.locator(".bp-state")).to_have_text("Unknown", timeout=LIVE_MS)
    expect(row).to_contain_text("BMC does not answer. It was on.")
    expect(row.get_by_role("link")).to_be_focused()
    apart(status_record, [PowerReading(servers["web-on"].pk, Power.OFF)])
    expect(row.locator(".bp-state")).to_have_text("Off", timeout=LIVE_MS)
    expect(row).not_to_contain_text("BMC does not answer")


def test_nobody_gets_a_frame_about_what_they_may_not_see(
    visit: Visit, operator: User, outsider: User
) -> None:
    servers = make_fleet()
    frames: list[str] = []
    visitor = visit(None, "/")
    visitor.sign_in(outsider)
    visitor.page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda data: frames.append(str(data))),
    )
    visitor.page.goto("/")
    expect(visitor.page.get_by_text("web-on")).to_have_count(0)
    ask = f"""new Promise((done) => {{
        const socket = new WebSocket(location.origin.replace("http", "ws") + "/ws/live/");
        socket.onopen = () => {{
            socket.send(JSON.stringify({{subscribe: [{servers["web-on"].pk}]}}));
            setTimeout(done, 500);
        }};
    }})"""
    visitor.page.evaluate(ask)
    apart(status_record, [PowerReading(servers["web-on"].pk, Power.OFF)])
    visitor.page.wait_for_timeout(2500)
    assert not [frame for frame in frames if "web-on" in frame]


def test_a_lost_socket_is_said_and_polling_takes_over(visit: Visit, operator: User) -> None:
    servers = make_fleet()
    visitor = visit(operator, "/admin/nothing")
    sockets: list[WebSocketRoute] = []
    is_open = [True]

    def route(socket: WebSocketRoute) -> None:
        if is_open[0]:
            socket.connect_to_server()
            sockets.append(socket)
        else:
            socket.close(code=1011)

    visitor.context.route_web_socket(re.compile("/ws/live/"), route)
    visitor.page.goto("/")
    page, sign = visitor.page, visitor.page.locator("#live-sign")
    expect(sign).to_have_text("Live")
    is_open[0] = False
    sockets[0].close(code=1011)
    expect(sign).to_have_text("Reconnecting")
    expect(sign).to_have_text(re.compile(r"Not live since \d\d:\d\d"), timeout=9_000)
    apart(status_record, [PowerReading(servers["web-on"].pk, Power.OFF)])
    row = page.locator(f"#server-{servers['web-on'].pk}")
    expect(row.locator(".bp-state")).to_have_text("Off", timeout=20_000)
    expect(page.locator("#live-bar")).to_contain_text("Live updates stopped at", timeout=15_000)
    is_open[0] = True
    expect(sign).to_have_text("Live", timeout=40_000)
    expect(page.locator("#live-bar")).to_be_hidden()
    visitor.context.set_offline(True)
    expect(sign).to_have_text("Offline")
    visitor.context.set_offline(False)
    expect(sign).to_have_text("Live", timeout=40_000)
    # What the browser says while it has no network is no complaint.
    visitor.complaints[:] = [one for one in visitor.complaints if "DISCONNECTED" not in one]


def test_a_disabled_person_is_shown_the_way_to_sign_in(visit: Visit, operator: User) -> None:
    make_fleet()
    page = visit(operator, "/").page
    expect(page.locator("#live-sign")).to_have_text("Live")
    User.objects.filter(pk=operator.pk).update(is_active=False)
    expect(page.locator(".bp-toast")).to_contain_text("You are signed out", timeout=15_000)
    expect(page.locator("#live-sign")).to_contain_text("Not live since", timeout=15_000)


# -------------------------------------------------------------------- the whole way


def test_soft_off_by_keyboard_is_seen_in_a_second_browser(
    visit: Visit, operator: User, readonly: User, settings: Any
) -> None:
    settings.POLL_WATCHED_SECONDS = 1
    with FleetThread(count=1, network="127.42.0.0/24") as simulated:
        bmc = simulated.fleet[0]
        profile = make_profile(username=simulated.fleet.username, password=simulated.fleet.password)
        server = make_server(
            name="web-1", cluster=make_cluster("web"), profile=profile,
            address=bmc.address, port=simulated.fleet.port,
        )  # fmt: skip
        runner = RunnerThread("browser-test")
        apart(runner.start)
        try:
            first = visit(operator, f"/servers/{server.pk}/").page
            second = visit(readonly, "/").page
            state = first.locator(f"#server-state-{server.pk}")
            seen = second.locator(f"#server-{server.pk} .bp-state").first
            expect(state.locator(".bp-state").first).to_have_text("On", timeout=15_000)
            expect(seen).to_have_text("On", timeout=15_000)
            expect(second.get_by_role("link", name="Soft off")).to_have_count(0)

            first.get_by_role("link", name="Soft off").focus()
            first.keyboard.press("Enter")
            expect(first.get_by_role("button", name="Cancel")).to_be_focused()
            first.keyboard.press("Tab")
            expect(first.locator("dialog button[data-sends]")).to_be_focused()
            first.keyboard.press("Enter")

            simulated.wait_until(bmc, lambda b: b.power is PowerState.OFF, 20.0)
            expect(first.locator(f"#server-orders-{server.pk}")).to_contain_text(
                re.compile(r"Off, verified \d\d:\d\d:\d\d"), timeout=8_000
            )
            expect(seen).to_have_text("Off", timeout=2_000)
            assert bmc.executed_count() == 1
        finally:
            assert apart(runner.stop)


def test_a_row_in_which_only_the_age_is_new_keeps_its_elements(
    visit: Visit, operator: User
) -> None:
    servers = make_fleet()
    server = servers["web-on"]
    page = visit(operator, "/").page
    expect(page.locator("#live-sign")).to_have_text("Live")
    age = page.locator(f"#server-{server.pk} time[data-late]").first
    page.evaluate("id => { document.getElementById(id).mine = true; }", f"server-{server.pk}")
    before = age.get_attribute("datetime")
    ServerStatus.objects.filter(server=server).update(power_read_at=now_plus(-30))
    apart(servers_changed, [server.pk])
    expect(age).not_to_have_attribute("datetime", before or "")
    is_kept = "id => document.getElementById(id).mine === true"
    assert page.evaluate(is_kept, f"server-{server.pk}")
    apart(status_record, [PowerReading(server.pk, Power.OFF)])
    expect(page.locator(f"#server-{server.pk} .bp-state")).to_have_text("Off")
    assert not page.evaluate(is_kept, f"server-{server.pk}")


def test_a_reason_waits_while_somebody_points_at_the_table(visit: Visit, operator: User) -> None:
    servers = make_fleet()
    server = servers["web-on"]
    page = visit(operator, "/").page
    expect(page.locator("#live-sign")).to_have_text("Live")
    row = page.locator(f"#server-{server.pk}")
    row.hover()
    height = row.evaluate("node => node.getBoundingClientRect().height")
    apart(status_record, [PowerFault(server.pk, "unreachable", {"stage": "login"})])
    expect(row.locator(".bp-state")).to_have_text("Unknown")
    expect(row.locator(".bp-whyrow")).to_be_hidden()
    assert row.evaluate("node => node.getBoundingClientRect().height") == height
    page.locator("h1").hover()
    expect(row.locator(".bp-whyrow")).to_contain_text("BMC does not answer")
    row.hover()
    height = row.evaluate("node => node.getBoundingClientRect().height")
    apart(status_record, [PowerReading(server.pk, Power.ON)])
    expect(row.locator(".bp-state")).to_have_text("On")
    expect(row.locator(".bp-whyrow")).to_be_hidden()
    assert row.evaluate("node => node.getBoundingClientRect().height") == height
    page.locator("h1").hover()
    expect(row.locator(".bp-whyrow")).to_have_count(0)
