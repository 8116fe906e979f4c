"""The server list in Chromium: keys, selection across pages, nothing lost, both themes, phones."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Route, expect

from apps.accounts.models import User
from apps.clusters.models import Cluster
from apps.core.testing import make_cluster, make_server, make_site
from apps.inventory.choices import Power
from apps.inventory.models import CustomField, Rack, SavedView, Server, ServerSelection, Tag
from apps.inventory.services import PowerFault, PowerReading, status_record
from bmcportal.tests.browser import AXE, Visitor, apart, is_wider_than_its_window

pytestmark = [
    pytest.mark.service,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(180),
    # A page that is left while its icon is still on the way leaves that file to the collector.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <_io.FileIO name=.*/static/:"
        "pytest.PytestUnraisableExceptionWarning"
    ),
]

Visit = Callable[..., Visitor]
LIVE_MS = 5_000


@pytest.fixture
def fleet(web: Cluster) -> list[Server]:
    """A hundred and twenty servers of "web" and one of elsewhere, with all that a row can show."""
    rack = Rack.objects.create(site=make_site(), name="A01")
    tag = Tag.objects.create(name="prod")
    CustomField.objects.create(key="owner", label="Owner")
    servers = [
        make_server(
            name=f"web-{i:03}", cluster=web, rack=rack, rack_unit=i % 42 + 1, model="Dell R660",
            serial=f"SN-{i}", custom_fields={"owner": "Team <b>"}, is_protected=i == 5,
            protected_reason="quorum" if i == 5 else "",
        )
        for i in range(1, 121)
    ]  # fmt: skip
    for server in servers[:20]:
        server.tags.add(tag)
    status_record([PowerReading(server.pk, Power.ON) for server in servers], push=False)
    status_record([PowerFault(servers[3].pk, "unreachable")], push=False)
    make_server(name="away-001", cluster=make_cluster("elsewhere"))
    return servers


def bar(page: Page) -> Any:
    return page.locator("#selection-bar .bp-selbar")


def box(page: Page, server: Server) -> Any:
    return page.locator(f"#server-{server.pk} input[name=ids]")


def kept() -> ServerSelection:
    return apart(ServerSelection.objects.get)


# ------------------------------------------------------------------------------ every look


LOOKS = [
    "/servers/", "/servers/?q=web-[001-150]!web-007%26@rack:A01&power=on&tag=prod&fault=none",
    "/servers/?q=web-[01", "/servers/?q=nothing-like-it&model=Dell", "/servers/?power=blue&page=9",
    "/servers/?columns=name,read,cluster,rack,model,bmc,tags,serial,asset_tag,site,custom.owner",
    "/servers/filter?power=on", "/servers/views/", "/servers/views/add?query=power%3Don",
]  # fmt: skip


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_look_of_the_list_is_accessible_and_fits(
    visit: Visit, operator: User, fleet: list[Server], theme: str
) -> None:
    User.objects.filter(pk=operator.pk).update(theme=theme)
    SavedView.objects.create(user=operator, name="On, by rack", query="power=on&sort=rack")
    page = visit(operator).page
    faults = []
    for path in LOOKS:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(path)
        if path == "/servers/":
            page.locator("input[name=ids]").nth(2).check()
            expect(bar(page)).to_contain_text("1 selected")
        faults += looked_at(page, path)
    page.goto("/servers/")
    page.keyboard.press("?")
    expect(page.locator("#keys-sheet")).to_be_visible()
    faults += looked_at(page, "keys")
    page.keyboard.press("Escape")
    page.locator("#filter-open").click()
    expect(page.locator("#server-filter")).to_be_visible()
    faults += looked_at(page, "filter dialog")
    assert not faults, "\n".join(faults)


def looked_at(page: Page, name: str) -> list[str]:
    faults = []
    for width in (1440, 1100, 390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        if is_wider_than_its_window(page):
            faults.append(f"{name} scrolls sideways at {width}")
        if width in (1440, 390):
            found = Axe().run(page, options=AXE).response["violations"]
            faults += [
                f"{name} {width} {rule['id']}: {rule['nodes'][0]['html'][:140]}" for rule in found
            ]
    return faults


def test_on_a_phone_rows_are_cards_and_the_bar_stands_above_the_tabs(
    visit: Visit, operator: User, fleet: list[Server]
) -> None:
    page = visit(operator, viewport={"width": 390, "height": 844}).page
    card = page.locator(f"#server-{fleet[0].pk}")
    expect(card).to_contain_text("A01 · U2")
    box(page, fleet[0]).check()
    expect(bar(page)).to_contain_text("1 selected")
    assert bottom_of(bar(page)) <= top_of(page.locator(".bp-tabbar"))
    button = page.locator("#bulk-read")
    assert bottom_of(button) - top_of(button) >= 43.5
    page.locator("tbody").last.scroll_into_view_if_needed()
    page.mouse.wheel(0, 5000)
    assert bottom_of(page.locator(".bp-tfoot").first) <= top_of(bar(page))


def top_of(part: Locator) -> float:
    return float(part.evaluate("node => node.getBoundingClientRect().top"))


def bottom_of(part: Locator) -> float:
    return float(part.evaluate("node => node.getBoundingClientRect().bottom"))


# ------------------------------------------------------------------------------ keys


def test_keys_move_pick_and_clear(visit: Visit, operator: User, fleet: list[Server]) -> None:
    page = visit(operator).page
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(box(page, fleet[1])).to_be_checked()
    expect(page.locator("tbody.is-cursor.is-picked")).to_have_count(1)
    expect(bar(page)).to_contain_text("1 selected")
    for _ in range(3):
        page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    expect(bar(page)).to_contain_text("4 selected")
    page.keyboard.press("k")
    page.keyboard.press("x")
    expect(bar(page)).to_contain_text("3 selected")
    page.keyboard.press("*")
    page.keyboard.press("a")
    expect(bar(page)).to_contain_text("120 selected: all that match, also later")
    expect(page.locator("input[name=ids]:checked")).to_have_count(100)
    # First what is open is closed, then the selection goes.
    page.keyboard.press("?")
    expect(page.locator("#keys-sheet")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys-sheet")).to_be_hidden()
    expect(bar(page)).to_contain_text("120 selected")
    page.keyboard.press("Escape")
    expect(bar(page)).to_have_count(0)
    expect(page.locator("input[name=ids]:checked")).to_have_count(0)
    assert "selection" not in page.url
    expect(page.locator("tbody.is-cursor a.bp-name")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("web-004")


def test_keys_are_off_in_fields_and_can_be_turned_off(
    visit: Visit, operator: User, fleet: list[Server]
) -> None:
    page = visit(operator).page
    page.keyboard.press("/")
    expect(page.locator("#server-query")).to_be_focused()
    page.keyboard.type("xj?*a")
    expect(page.locator("#server-query")).to_have_value("xj?*a")
    expect(page.locator("#keys-sheet")).to_be_hidden()
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("?")
    page.get_by_label("Use single keys in this browser").uncheck()
    page.keyboard.press("Escape")
    page.goto("/servers/")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("tbody.is-cursor")).to_have_count(0)
    assert not apart(ServerSelection.objects.exists)


# ------------------------------------------------------------------------------ selection


def test_a_selection_outlives_pages_filters_and_a_reload(
    visit: Visit, operator: User, fleet: list[Server]
) -> None:
    page = visit(operator).page
    box(page, fleet[0]).check()
    box(page, fleet[1]).check()
    expect(bar(page)).to_contain_text("2 selected")
    page.get_by_role("link", name="Next page").click()
    expect(bar(page)).to_contain_text("2 selected")
    box(page, fleet[119]).check()
    expect(bar(page)).to_contain_text("3 selected")
    page.locator("#server-query").fill("web-00")
    expect(page.locator("tbody")).to_have_count(9)
    expect(box(page, fleet[0])).to_be_checked()
    expect(bar(page)).to_contain_text("3 selected")
    page.reload()
    expect(bar(page)).to_contain_text("3 selected")
    box(page, fleet[1]).uncheck()
    expect(bar(page)).to_contain_text("2 selected")
    assert kept().ids == [fleet[0].pk, fleet[119].pk]
    page.get_by_role("link", name="Power", exact=True).click()
    expect(bar(page)).to_contain_text("2 selected")
    page.get_by_role("button", name="Clear the selection").click()
    expect(bar(page)).to_have_count(0)
    expect(page.locator("tbody.is-picked")).to_have_count(0)


def test_ranges_whole_pages_and_all_that_match(
    visit: Visit, operator: User, fleet: list[Server]
) -> None:
    page = visit(operator).page
    box(page, fleet[2]).click()
    box(page, fleet[6]).click(modifiers=["Shift"])
    expect(bar(page)).to_contain_text("5 selected")
    expect(page.locator("tbody.is-picked")).to_have_count(5)
    whole = page.get_by_label("Select every server of this page")
    assert whole.evaluate("(box) => box.indeterminate")
    whole.check()
    expect(bar(page)).to_contain_text("100 selected")
    whole.uncheck()
    expect(bar(page)).to_have_count(0)
    box(page, fleet[0]).check()
    page.get_by_role("button", name="Select all 120 matching").click()
    expect(bar(page)).to_contain_text("120 selected")
    assert kept().is_all
    box(page, fleet[0]).uncheck()
    expect(bar(page)).to_contain_text("119 selected")
    page.get_by_role("link", name="Next page").click()
    expect(page.locator("tbody.is-picked")).to_have_count(20)


def test_quick_clicks_are_all_kept(visit: Visit, operator: User, fleet: list[Server]) -> None:
    page = visit(operator).page
    page.evaluate(
        "document.querySelectorAll('input[name=ids]').forEach((box, i) => i < 12 && box.click())"
    )
    expect(bar(page)).to_contain_text("12 selected")
    selection = kept()
    assert selection.ids == sorted(server.pk for server in fleet[:12])


def test_a_tick_that_could_not_be_kept_is_taken_back_and_told(
    visit: Visit, operator: User, fleet: list[Server]
) -> None:
    visitor = visit(operator)
    visitor.context.route(re.compile("/servers/selection"), lambda route: route.abort())
    box(visitor.page, fleet[0]).click()
    expect(visitor.page.locator(".bp-toast")).to_contain_text("did not answer")
    expect(box(visitor.page, fleet[0])).not_to_be_checked()
    expect(visitor.page.locator("tbody.is-picked")).to_have_count(0)


def test_the_selected_are_read_now(visit: Visit, readonly: User, fleet: list[Server]) -> None:
    page = visit(readonly).page
    box(page, fleet[0]).check()
    box(page, fleet[1]).check()
    bar(page).get_by_role("button", name="Read now").click()
    expect(page.locator(".bp-toast")).to_contain_text("2 servers are read now.")
    expect(bar(page)).to_contain_text("2 selected")


def test_a_result_is_shown_though_the_selection_changed_meanwhile(
    visit: Visit, readonly: User, fleet: list[Server]
) -> None:
    page = visit(readonly).page
    box(page, fleet[0]).check()
    expect(bar(page)).to_contain_text("1 selected")
    held: list[Route] = []
    page.route("**/servers/bulk/read*", lambda route: held.append(route))
    with page.expect_request("**/servers/bulk/read*"):
        bar(page).get_by_role("button", name="Read now").click()
    with page.expect_response("**/servers/selection"):
        box(page, fleet[1]).check()
    held[0].continue_()
    expect(page.locator(".bp-toast")).to_contain_text("are read now.")
    expect(bar(page)).to_contain_text("2 selected")


def test_without_scripts_everything_works_with_links_and_forms(
    visit: Visit, operator: User, fleet: list[Server]
) -> None:
    page = visit(operator, java_script_enabled=False).page
    box(page, fleet[0]).check()
    box(page, fleet[2]).check()
    page.get_by_role("button", name="Use selection").click()
    expect(bar(page)).to_contain_text("2 selected")
    expect(box(page, fleet[2])).to_be_checked()
    page.get_by_role("button", name="Select all 120 matching").click()
    expect(bar(page)).to_contain_text("120 selected")
    page.get_by_role("button", name="Read now").click()
    expect(page.locator(".bp-toast")).to_contain_text("120 servers are read now.")
    page.locator("#filter-open").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Filter the servers")
    page.get_by_label("Unknown").check()
    page.get_by_role("button", name="Show matching servers").click()
    expect(page.locator("tbody")).to_have_count(1)
    expect(bar(page)).to_contain_text("120 selected")
    page.get_by_text("Columns", exact=True).first.click()
    page.get_by_label("Serial number").check()
    page.get_by_role("button", name="Show these columns").click()
    expect(page.get_by_text("SN-4", exact=True)).to_be_visible()
    page.get_by_role("link", name="Save view").click()
    page.get_by_label("Name").fill("Unknown with serials")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#list-views [aria-current]")).to_have_text("Unknown with serials")


# ------------------------------------------------------------------------------ nothing is lost


def test_typing_focus_and_ticks_survive_live_rows(
    visit: Visit, operator: User, fleet: list[Server]
) -> None:
    columns = "name,power,serial,custom.owner"
    page = visit(operator, f"/servers/?columns={columns}").page
    expect(page.locator("#live-sign")).to_have_text("Live")
    box(page, fleet[0]).check()
    expect(bar(page)).to_contain_text("1 selected")
    box(page, fleet[0]).focus()
    row = page.locator(f"#server-{fleet[0].pk}")
    apart(status_record, [PowerFault(fleet[0].pk, "unreachable")])
    expect(row.locator(".bp-state")).to_have_text("Unknown", timeout=LIVE_MS)
    expect(box(page, fleet[0])).to_be_focused()
    expect(box(page, fleet[0])).to_be_checked()
    expect(row).to_have_class(re.compile("is-picked"))
    # What comes live has the columns of the page.
    expect(row.locator("tr").first.locator("td")).to_have_count(5)
    expect(row).to_contain_text("Team <b>")
    expect(row).not_to_contain_text("Dell")
    page.keyboard.press("/")
    page.keyboard.type("web-11")
    apart(status_record, [PowerReading(fleet[110].pk, Power.OFF)])
    expect(page.locator("tbody")).to_have_count(10)
    moved = page.locator(f"#server-{fleet[110].pk} .bp-state")
    expect(moved).to_have_text("Off", timeout=LIVE_MS)
    expect(page.locator("#server-query")).to_be_focused()
    expect(page.locator("#server-query")).to_have_value("web-11")
    apart(status_record, [PowerReading(fleet[110].pk, Power.ON)])
    expect(moved).to_have_text("On", timeout=LIVE_MS)
    expect(page.locator("#server-query")).to_be_focused()


def test_a_node_set_is_understood_while_it_is_typed(
    visit: Visit, operator: User, fleet: list[Server]
) -> None:
    page = visit(operator).page
    query = page.locator("#server-query")
    query.press_sequentially("web-[001-0")
    note = page.locator("#query-note")
    expect(note).to_contain_text("This “[” is not closed. (Character 5)")
    expect(query).to_have_attribute("aria-invalid", "true")
    expect(query).to_be_focused()
    query.press_sequentially("03]!web-002,web-999")
    expect(note).to_contain_text("1 name matches no server: web-999")
    expect(page.locator("tbody")).to_have_count(2)
    expect(query).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator("#server-counts")).to_contain_text("2 of 120 match")
    assert "q=web-" in page.url
    page.get_by_role("link", name="Save view").click()
    page.get_by_label("Name").fill("Two of web")
    page.keyboard.press("Enter")
    expect(page.locator("#list-views [aria-current]")).to_have_text("Two of web")
    expect(page.locator("tbody")).to_have_count(2)


def test_a_list_that_does_not_load_stays_and_says_so(
    visit: Visit, operator: User, fleet: list[Server]
) -> None:
    visitor = visit(operator)
    page = visitor.page
    is_down = [True]

    def route(route: Route) -> None:
        if is_down[0]:
            route.fulfill(status=429, body="later")
        else:
            route.continue_()

    visitor.context.route(re.compile(r"/servers/\?"), route)
    page.locator("#server-query").fill("web-11")
    expect(page.locator("#list-error")).to_contain_text("could not be loaded (429)")
    expect(page.locator("#server-query")).to_have_value("web-11")
    expect(page.locator("tbody")).to_have_count(100)
    expect(page.locator(".bp-toast")).to_have_count(0)
    assert all("429" in text for text in visitor.complaints)
    visitor.complaints.clear()
    is_down[0] = False
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("tbody")).to_have_count(10)
    expect(page.locator("#list-error")).to_be_hidden()


def test_the_filter_dialog_leaves_empty_fields_out_and_gives_the_focus_back(
    visit: Visit, operator: User, fleet: list[Server]
) -> None:
    page = visit(operator).page
    opener = page.locator("#filter-open")
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#server-filter")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#server-filter")).to_have_count(0)
    expect(opener).to_be_focused()
    page.keyboard.press("Enter")
    page.locator("#server-filter").get_by_label("Tag").fill("prod")
    page.get_by_role("button", name="Show matching servers").click()
    expect(page.locator("tbody")).to_have_count(20)
    assert page.url.endswith("/servers/?tag=prod")
    page.get_by_role("link", name="Remove filter Tag: prod").click()
    expect(page.locator("tbody")).to_have_count(100)
