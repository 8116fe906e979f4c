from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django import forms
from django.core.paginator import Paginator
from django.template import Context, Template
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import timezone
from django.utils.translation import override

from apps.core.templatetags.portal import age_words
from apps.inventory.choices import Power, Transition
from apps.inventory.models import ServerStatus

NOON = dt.datetime(2026, 11, 23, 12, 0, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOON)


def ago(seconds: int) -> dt.datetime:
    return NOON - dt.timedelta(seconds=seconds)


def shown(template: str, **context: Any) -> str:
    return " ".join(render_to_string(template, context).split())


def inline(source: str, **context: Any) -> str:
    return Template(source).render(Context(context))


def power(**fields: Any) -> str:
    return shown("shared/_power.html", status=ServerStatus(**fields))


def reason(**fields: Any) -> str:
    return shown("shared/_reason.html", status=ServerStatus(**fields))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"), (0, "0 s"), (12, "12 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"),
        (3600, "1 h"), (86399, "23 h"), (86400, "1 d"), (864000, "10 d"),
    ],
)  # fmt: skip
def test_an_age_is_one_number_and_one_unit(seconds: float, words: str) -> None:
    assert age_words(seconds) == words


def test_an_age_carries_its_exact_time() -> None:
    html = inline("{% age at %}", at=ago(12))

    assert '<time class="bp-age" datetime="2026-11-23T11:59:48+00:00"' in html
    assert 'title="2026-11-23 11:59:48 UTC"' in html
    assert ">12 s</time>" in html


def test_an_age_older_than_two_polling_intervals_is_late(settings: Any) -> None:
    settings.POLL_SECONDS = 60

    assert "is-old" not in inline("{% age at %}", at=ago(120))
    assert "is-old" in inline("{% age at %}", at=ago(121))
    assert "is-old" not in inline("{% span at %}", at=ago(5000))


@pytest.mark.parametrize(
    "tag", ["{% age at %}", "{% span at %}", "{% since at %}", "{{ at|clock }}"]
)
def test_no_time_prints_nothing(tag: str) -> None:
    assert inline(tag, at=None) == ""


def test_clock_times_name_the_day_when_it_is_another() -> None:
    assert ">11:59:48 UTC<" in inline("{{ at|clock }}", at=ago(12))
    assert ">2026-11-22 11:59:48 UTC<" in inline("{{ at|clock }}", at=ago(86412))
    assert ">since 11:59<" in inline("{% since at %}", at=ago(12))
    assert ">since 2026-11-22 11:59<" in inline("{% since at %}", at=ago(86412))


def test_a_known_state_stands_with_its_age() -> None:
    html = power(power=Power.ON, power_read_at=ago(12), fault="")

    assert '<span class="bp-state is-on">On</span><time class="bp-age"' in html
    assert ">12 s</time>" in html


def test_an_unknown_state_says_since_when_and_never_looks_read() -> None:
    html = power(
        last_power=Power.ON, power_read_at=ago(900), fault="unreachable", fault_at=ago(600)
    )

    assert '<span class="bp-state is-unknown">Unknown</span>' in html
    assert ">since 11:50</time>" in html
    assert ">On<" not in html


def test_a_transition_stands_beside_the_last_reading_and_does_not_replace_it() -> None:
    html = power(
        power=Power.ON,
        power_read_at=ago(2),
        fault="",
        transition=Transition.SHUTTING_DOWN,
        transition_at=ago(8),
    )

    assert html.index(">On<") < html.index(">2 s<") < html.index(">Shutting down<")
    assert ">8 s<" in html


def test_the_reason_says_what_it_was_and_what_to_do() -> None:
    html = reason(fault="unreachable", last_power=Power.ON)

    assert "BMC does not answer. It was on." in html
    assert "Check its address" in html


def test_no_fault_no_reason() -> None:
    assert reason(fault="", power=Power.ON) == ""


def test_a_hostile_fault_is_shown_as_text() -> None:
    html = reason(fault="<b>", fault_params={"x": "<script>"})

    assert "<b>" not in html
    assert "&lt;b&gt;" in html


@pytest.mark.parametrize("kind", ["info", "unk", "warn", "crit"])
def test_a_note_has_its_kind_an_icon_and_its_text(kind: str) -> None:
    html = shown("shared/_note.html", kind=kind, title="T & T", text="The plan is valid.")

    assert f'class="bp-note is-{kind}"' in html
    assert 'aria-hidden="true"' in html
    assert "T &amp; T" in html


def test_state_and_empty() -> None:
    assert shown("shared/_state.html", state="done", word="Done") == (
        '<span class="bp-state is-done">Done</span>'
    )
    html = shown("shared/_empty.html", title="No server", href="/new", label="Add server")
    assert "<h2>No server</h2>" in html
    assert 'href="/new">Add server</a>' in html


class AddressForm(forms.Form):
    address = forms.CharField(help_text="An address.")
    kind = forms.ChoiceField(choices=[("a", "A")], required=False)
    agreed = forms.BooleanField(required=False)


def test_a_field_ties_label_hint_and_error_to_its_control() -> None:
    form = AddressForm({})
    html = shown("shared/_field.html", field=form["address"])

    assert '<label class="form-label" for="id_address">' in html
    assert 'aria-describedby="id_address_hint id_address_error"' in html
    assert 'aria-invalid="true"' in html
    assert 'id="id_address_hint"' in html
    assert 'id="id_address_error"' in html


def test_the_other_controls_have_their_own_classes() -> None:
    form = AddressForm()

    assert "form-select" in shown("shared/_field.html", field=form["kind"])
    html = shown("shared/_field.html", field=form["agreed"])
    assert "form-check-input" in html
    assert html.count("<label") == 1


def test_the_pager_keeps_the_query() -> None:
    request = RequestFactory().get("/servers/", {"q": "web", "page": "2"})
    page = Paginator(range(30), 10).page(2)

    html = render_to_string("shared/_pager.html", {"page_obj": page}, request)

    assert 'href="?q=web&amp;page=1"' in html
    assert 'href="?q=web&amp;page=3"' in html
    assert "11 to 20 of 30" in html


def test_one_page_needs_no_pager() -> None:
    page = Paginator(range(3), 10).page(1)

    assert shown("shared/_pager.html", page_obj=page) == ""


def test_a_dialog_has_a_name_and_cancel_comes_first() -> None:
    html = inline(
        "{% extends 'shared/_dialog.html' %}{% block heading %}Soft off web-1?{% endblock %}"
        "{% block footer %}<button class='btn btn-primary'>Soft off</button>{% endblock %}"
    )

    assert 'aria-labelledby="dialog-title"' in html
    assert html.index("Cancel") < html.index(">Soft off<")


def test_the_last_resort_needs_neither_request_nor_database() -> None:
    html = shown("503.html", title="The database does not answer", sentence="Nothing was sent.")

    assert "<h1>The database does not answer</h1>" in html
    assert "Nothing was sent." in html


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404"])
def test_error_pages_say_what_happened_and_the_way_on(name: str) -> None:
    html = shown(f"{name}.html")

    assert html.count("<h1>") == 1
    assert 'href="/"' in html


def test_chinese_words_for_a_state() -> None:
    with override("zh-hans"):
        html = power(last_power=Power.ON, fault="unreachable", fault_at=ago(600))

    assert ">未知</span>" in html
    assert ">自 11:50 起</time>" in html
