from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from apps.core.dbtime import now_plus
from apps.core.testing import make_cluster, make_profile, make_server, make_site
from apps.discovery.choices import Outcome, Progress
from apps.discovery.models import ConnectionTest
from apps.inventory.models import Bmc, Server

pytestmark = pytest.mark.django_db
ADD = "/connection-tests/"
HTMX = {"HX-Request": "true"}
CLICK = {**HTMX, "HX-Target": "toasts"}


@pytest.fixture
def server(web: Any) -> Server:
    return make_server(name="web-1", cluster=web, profile=make_profile(name="dell"))


@pytest.fixture
def typed(web: Any) -> dict[str, Any]:
    """What the server form sends, and more than the test needs."""
    return {
        "name": "", "cluster": "", "site": make_site().pk, "address": "127.0.0.9", "port": "623",
        "profile": make_profile(name="lab", clusters=[web]).pk, "suite": "auto",
    }  # fmt: skip


def make_test(person: Any, server: Server | None = None, **fields: Any) -> ConnectionTest:
    bmc = server.bmc if server else None
    known = {
        "requested_by": person, "server": server, "site": make_site(), "suite": "auto",
        "address": bmc.address if bmc else "127.0.0.9", "port": bmc.port if bmc else 623,
        "profile": bmc.profile if bmc else make_profile(),
    }  # fmt: skip
    return ConnectionTest.objects.create(**known | fields)


def done(person: Any, server: Server | None = None, **fields: Any) -> ConnectionTest:
    known = {"state": Progress.DONE, "outcome": Outcome.OK, "finished_at": now_plus(0)}
    return make_test(person, server, **known | fields)


# -------------------------------------------------------------------- who may


def test_anonymous_is_sent_to_sign_in(client: Client, server: Server, admin: Any) -> None:
    test = make_test(admin)
    for path in (ADD, f"/connection-tests/{test.pk}/", f"/servers/{server.pk}/test",
                 f"/servers/{server.pk}/test/typed"):  # fmt: skip
        for response in (client.get(path), client.post(path)):
            assert response.status_code == 302
            assert response["Location"].startswith(reverse("accounts:sign_in"))


@pytest.mark.parametrize("verb", ["test", "test/typed"])
def test_an_outsider_gets_what_a_missing_server_gives(
    client: Client, server: Server, outsider: Any, verb: str
) -> None:
    client.force_login(outsider)
    for pk in (server.pk, 999999):
        assert client.post(f"/servers/{pk}/{verb}").status_code == 404
    assert client.get(f"/servers/{server.pk}/test", headers=HTMX).status_code == 404
    assert not ConnectionTest.objects.exists()


@pytest.mark.parametrize("who", ["readonly", "user"])
def test_testing_needs_an_operator(
    client: Client, server: Server, request: pytest.FixtureRequest, who: str, typed: dict[str, Any]
) -> None:
    client.force_login(request.getfixturevalue(who))
    assert client.post(ADD, typed).status_code == 403
    assert client.post(f"/servers/{server.pk}/test").status_code == 403
    assert client.post(f"/servers/{server.pk}/test/typed", typed).status_code == 403
    assert client.get(f"/servers/{server.pk}/test", headers=HTMX).status_code == 200
    assert not ConnectionTest.objects.exists()


def test_a_test_is_seen_by_who_ordered_it_and_by_operators_of_its_server(
    client: Client, server: Server, operator: Any, admin: Any, outsider: Any, readonly: Any
) -> None:
    of_server, of_nothing = done(admin, server), done(admin)
    gone = f"/connection-tests/{uuid.uuid4()}/"
    seen = {
        "admin": (200, 200), "operator": (200, 404), "readonly": (404, 404), "outsider": (404, 404),
    }  # fmt: skip
    for person in (admin, operator, readonly, outsider):
        client.force_login(person)
        found = tuple(
            client.get(test.get_absolute_url()).status_code for test in (of_server, of_nothing)
        )
        assert found == seen[person.username]
        assert client.get(gone).status_code == 404
    assert client.get("/connection-tests/not-a-uuid/").status_code == 404


def test_a_test_of_a_server_one_does_not_see_any_more_is_gone(
    client: Client, server: Server, operator: Any
) -> None:
    test = done(operator, server)
    Server.objects.update(cluster=make_cluster("elsewhere"))
    client.force_login(operator)
    assert client.get(test.get_absolute_url()).status_code == 404


# -------------------------------------------------------------------- from the form


def test_the_forms_have_the_button(client: Client, operator: Any, server: Server) -> None:
    client.force_login(operator)
    add = client.get("/servers/add").content.decode()
    edit = client.get(f"/servers/{server.pk}/edit").content.decode()
    for text, path in ((add, ADD), (edit, f"/servers/{server.pk}/test/typed")):
        assert f'formaction="{path}"' in text
        assert f'hx-post="{path}"' in text
        assert 'hx-include="closest form"' in text
        assert 'id="connection-test" aria-live="polite"' in text


def test_what_is_typed_is_tested_and_followed(
    client: Client, operator: Any, typed: dict[str, Any]
) -> None:
    client.force_login(operator)
    response = client.post(ADD, typed, headers=HTMX)
    test = ConnectionTest.objects.get()
    text = response.content.decode()
    assert response.status_code == 202
    assert f'hx-get="/connection-tests/{test.pk}/"' in text
    assert 'hx-trigger="every 1s"' in text
    assert "Testing 127.0.0.9:623" in text
    ConnectionTest.objects.update(
        state=Progress.DONE, outcome="ok", finished_at=now_plus(0),
        facts={"vendor": "Dell", "suite": 17, "privilege": 3, "latency_ms": 1.5},
    )  # fmt: skip
    text = client.get(test.get_absolute_url(), headers=HTMX).content.decode()
    assert "hx-trigger" not in text
    for word in ("The portal can talk to this BMC.", "Dell", "17 (SHA-256)", "Operator", "1.5 ms"):
        assert word in text
    assert not Server.objects.exists()


def test_without_javascript_it_is_a_page(
    client: Client, operator: Any, typed: dict[str, Any]
) -> None:
    client.force_login(operator)
    response = client.post(ADD, typed)
    test = ConnectionTest.objects.get()
    assert (response.status_code, response["Location"]) == (303, test.get_absolute_url())
    page = client.get(response["Location"]).content.decode()
    assert "<html" in page
    assert "Load the page again to see the answer." in page
    assert client.post(ADD, typed | {"port": "x"}).status_code == 422


BAD: list[tuple[dict[str, Any], str]] = [
    ({"address": ""}, "BMC address: This field is required."),
    ({"address": "8.8.8.8"}, "BMC address: Outside the allowed BMC networks"),
    ({"address": "0x7f.1"}, "BMC address: Not an IP address in its usual form"),
    ({"address": "<script>alert(1)</script>"}, "BMC address: Not an IP address or host name"),
    ({"address": "127.0.0.9\x00"}, "Null characters"),
    ({"address": "x" * 300}, "at most 253"),
    ({"port": "0"}, "Port: "),
    ({"port": "six"}, "Port: Enter a whole number."),
    ({"port": ""}, "Port: This field is required."),
    ({"profile": ""}, "without one nothing is sent"),
    ({"profile": "999999"}, "not one of the available"),
    ({"profile": "<b>"}, "not one of the available"),
    ({"site": ""}, "Site: This field is required."),
    ({"site": "999999"}, "not one of the available"),
    ({"suite": "0"}, "not one of the available"),
    ({"workarounds": ["magic"]}, "Workarounds: "),
]


@pytest.mark.parametrize(("change", "sentence"), BAD)
def test_bad_input_is_told_in_sentences(
    client: Client, operator: Any, typed: dict[str, Any], change: dict[str, Any], sentence: str
) -> None:
    client.force_login(operator)
    response = client.post(ADD, typed | change, headers=HTMX)
    text = response.content.decode()
    assert response.status_code == 422
    assert sentence in text
    assert "Nothing was sent." in text
    assert "<script>" not in text
    assert not ConnectionTest.objects.exists()


def test_a_profile_outside_its_networks_and_a_profile_of_others_are_refused(
    client: Client, operator: Any, typed: dict[str, Any]
) -> None:
    client.force_login(operator)
    narrow = make_profile(networks=["10.0.0.0/8"])
    response = client.post(ADD, typed | {"profile": narrow.pk}, headers=HTMX)
    assert response.status_code == 422
    assert "do not contain the address" in response.content.decode()
    foreign = make_profile(clusters=[make_cluster("other")])
    response = client.post(ADD, typed | {"profile": foreign.pk}, headers=HTMX)
    assert response.status_code == 422
    assert not ConnectionTest.objects.exists()


def test_what_the_form_does_not_have_is_as_it_is_stored(
    client: Client, operator: Any, server: Server
) -> None:
    Bmc.objects.update(workarounds=["padded_username"], suite="3")
    client.force_login(operator)
    path = f"/servers/{server.pk}/test/typed"
    assert client.post(path, {"port": "700"}, headers=HTMX).status_code == 202
    test = ConnectionTest.objects.get()
    assert (test.address, test.port, test.suite) == (server.bmc.address, 700, "3")
    assert test.workarounds == ["padded_username"]
    assert client.post(path, {"typed_workarounds": "1"}, headers=HTMX).status_code == 202
    assert ConnectionTest.objects.get(port=623).workarounds == []
    assert Bmc.objects.get().port == 623


def test_too_many_tests_are_told(client: Client, operator: Any, server: Server) -> None:
    for _ in range(10):
        done(operator)
    client.force_login(operator)
    path = f"/servers/{server.pk}/test"
    typed = client.post(f"{path}/typed", headers=HTMX)
    assert typed.status_code == 422
    assert "At most 10 tests within a minute" in typed.content.decode()
    assert "At most 10 tests within a minute" in client.post(path, headers=CLICK).content.decode()
    assert client.post(path).status_code == 303
    page = client.get(f"/servers/{server.pk}/").content.decode()
    assert "At most 10 tests within a minute" in page


# -------------------------------------------------------------------- on the server's page


def test_the_page_has_the_button_for_operators(
    client: Client, server: Server, operator: Any, user: Any
) -> None:
    for person, has_button in ((user, False), (operator, True)):
        client.force_login(person)
        text = client.get(f"/servers/{server.pk}/").content.decode()
        assert (f'action="/servers/{server.pk}/test"' in text) == has_button
        assert "Not tested in the last 24 hours." in text
    Bmc.objects.update(profile=None)
    text = client.get(f"/servers/{server.pk}/").content.decode()
    assert "The BMC has no credential profile: nothing is sent to it." in text


def test_a_click_fills_the_card_beside(client: Client, server: Server, operator: Any) -> None:
    client.force_login(operator)
    response = client.post(f"/servers/{server.pk}/test", headers=CLICK)
    text = response.content.decode()
    assert response.status_code == 202
    assert '<div id="server-test-body" hx-swap-oob="innerHTML">' in text
    assert f'hx-get="/servers/{server.pk}/test" hx-trigger="every 1s"' in text
    again = client.post(f"/servers/{server.pk}/test", headers=CLICK)
    assert again.status_code == 202
    assert ConnectionTest.objects.count() == 1
    for answer in (response, again):
        assert '<a href="#server-test">Show the answer</a>' in answer.content.decode()
    plain = client.post(f"/servers/{server.pk}/test")
    assert plain["Location"] == f"/servers/{server.pk}/#server-test"


def test_the_card_tells_the_last_test_of_the_record_with_its_age(
    client: Client, server: Server, operator: Any, readonly: Any
) -> None:
    done(operator, server, outcome="auth_failed", params={"stage": "rakp2"})
    done(operator, server, port=700, facts={"vendor": "Elsewhere"})
    client.force_login(readonly)
    for text in (
        client.get(f"/servers/{server.pk}/").content.decode(),
        client.get(f"/servers/{server.pk}/test", headers=HTMX).content.decode(),
    ):
        assert "BMC refused the password; not tried again." in text
        assert "Check the credential profile of this BMC." in text
        assert "ago by operator" in text
        assert "Elsewhere" not in text
    response = client.get(f"/servers/{server.pk}/test")
    assert (response.status_code, response["Location"]) == (302, f"/servers/{server.pk}/")


def test_a_test_that_nobody_took_says_so_with_the_next_step(
    client: Client, server: Server, operator: Any
) -> None:
    test = make_test(operator, server)
    ConnectionTest.objects.update(created_at=now_plus(-6))
    client.force_login(operator)
    for path in (test.get_absolute_url(), f"/servers/{server.pk}/test"):
        text = client.get(path, headers=HTMX).content.decode()
        assert "No worker of site fra is alive." in text
        assert "Start a worker for this site, or choose another site." in text
        assert "hx-trigger" not in text


def test_another_machine_is_said_with_both_numbers(
    client: Client, server: Server, operator: Any
) -> None:
    test = done(
        operator, server, outcome="guid_differs",
        params={"recorded": "aa" * 16, "reported": "bb" * 16}, facts={"guid": "bb" * 16},
    )  # fmt: skip
    client.force_login(operator)
    text = client.get(test.get_absolute_url()).content.decode()
    assert "The login works, but another machine answers." in text
    assert "aa" * 16 in text
    assert "bb" * 16 in text


EVIL = "<script>alert(1)</script>"


def test_what_a_bmc_says_is_shown_as_text(client: Client, server: Server, operator: Any) -> None:
    names = (
        "vendor",
        "product",
        "serial",
        "firmware",
        "ipmi_version",
        "guid",
        "suite",
        "privilege",
    )
    facts = dict.fromkeys(names, EVIL) | {"latency_ms": EVIL}
    test = done(
        operator, server, outcome="serial_differs",
        params={"recorded": EVIL, "reported": EVIL}, facts=facts,
    )  # fmt: skip
    Bmc.objects.update(vendor=EVIL, product=EVIL, firmware=EVIL, seen_serial=EVIL)
    Server.objects.update(serial="X1")
    client.force_login(operator)
    for path in (test.get_absolute_url(), f"/servers/{server.pk}/"):
        text = client.get(path).content.decode()
        assert EVIL not in text
        assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 9


def test_the_page_tells_what_was_learnt(client: Client, server: Server, readonly: Any) -> None:
    Bmc.objects.update(vendor="Dell", product="R740", firmware="6.10", seen_serial="ABC1234")
    client.force_login(readonly)
    text = client.get(f"/servers/{server.pk}/").content.decode()
    for word in ("Dell, R740", "6.10", "ABC1234"):
        assert word in text
    assert "differs from the record" not in text
    Server.objects.update(serial="abc1234")
    assert "differs from the record" not in client.get(f"/servers/{server.pk}/").content.decode()
    Server.objects.update(serial="XYZ")
    text = client.get(f"/servers/{server.pk}/").content.decode()
    assert "differs from the record: XYZ" in text


def test_following_a_test_asks_few_questions(
    client: Client, server: Server, operator: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    test = done(operator, server)
    client.force_login(operator)
    with django_assert_num_queries(5):  # session, person, grants twice, the test
        client.get(test.get_absolute_url(), headers=HTMX)
