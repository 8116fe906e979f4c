"""No secret is read where things are told: logs, error pages, tasks, pickles, Django admin."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import pickle
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib import admin as django_admin
from django.core.exceptions import ImproperlyConfigured
from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, connection
from django.test import Client, RequestFactory
from django.urls import reverse
from django.views.debug import ExceptionReporter, get_exception_reporter_filter
from pytest_django import Settings

from apps.accounts.models import User
from apps.accounts.services import api_token_create, staff_follow
from apps.bmc import Credential, Secret
from apps.core.testing import make_profile, make_server
from bmcportal import environment as env
from bmcportal.celery import app
from bmcportal.database import database_from_url
from bmcportal.logs import _traceback_write
from bmcportal.redaction import cleaned, redact, text_clean

CANARY = "hunter2-canary"
CREDENTIAL = Credential("root", Secret(CANARY), kg=Secret(CANARY))


@dataclasses.dataclass
class Typed:
    name: str
    password: str
    inner: object = None


# ------------------------------------------------------------------ values


@pytest.mark.parametrize(
    "value",
    [
        Secret(CANARY),
        CREDENTIAL,
        [Secret(CANARY)],
        {"deep": [{"deeper": (Secret(CANARY), {CREDENTIAL})}]},
        {"form": {"name": "x", "new_password": CANARY, "kg": CANARY}},
        [[[[[[[[[[CANARY]]]]]]]]]],
        Typed("x", CANARY, Typed("y", CANARY)),
        {"headers": {"Authorization": f"Token {CANARY}", "Cookie": f"sessionid={CANARY}"}},
        f"redis://:{CANARY}@redis:6379/0 does not answer",
        f"postgres://portal:{CANARY}@db/portal",
        f"GET /invitation/{CANARY} is not found",
        f"duplicate key\nDETAIL:  Failing row contains (7, {CANARY}\n, x).",
    ],
)
def test_a_value_is_told_without_its_secret(value: object) -> None:
    told = redact(None, "", {"event": "tried", "value": value})
    assert CANARY not in json.dumps(told, default=repr)
    assert told["event"] == "tried"


def test_what_is_no_secret_is_told_as_it_is() -> None:
    value = {
        "job_id": 7,
        "background": "blue",
        "path": "/servers/7/",
        "names": ["a", "b"],
        "x": 0.5,
    }
    assert cleaned(value) == value
    words = "see http://localhost:8000/servers/ and mail root@example.org"
    assert text_clean(words) == words


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret(CANARY)
    said = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>20}",
        f"{CREDENTIAL}",
    ]
    with pytest.raises(ValueError, match="Secret") as failed:
        raise ValueError(secret, CREDENTIAL)
    said += traceback.format_exception(failed.value)
    assert CANARY not in "".join(said)


@pytest.mark.parametrize(
    "act",
    [
        pickle.dumps,
        copy.deepcopy,
        json.dumps,
        lambda value: json.dumps(value, cls=DjangoJSONEncoder),
        lambda value: pickle.dumps([value]),
        lambda value: app.backend.encode({"x": value}),
    ],
)
@pytest.mark.parametrize("value", [Secret(CANARY), CREDENTIAL])
def test_a_secret_is_not_serialised(act: Callable[[object], object], value: object) -> None:
    with pytest.raises((TypeError, Exception)) as refused:  # kombu has an error of its own
        act(value)
    assert CANARY not in str(refused.value)


def test_a_traceback_in_the_log_has_no_rows_of_the_database(
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        raise IntegrityError(f"violates\nDETAIL:  Failing row contains (1, {CANARY}).")
    except IntegrityError as error:
        _traceback_write(sys.stderr, (type(error), error, error.__traceback__))
    said = capsys.readouterr().err
    assert "violates" in said
    assert CANARY not in said


# ------------------------------------------------------------------ the start


@pytest.mark.parametrize(
    "start",
    [
        lambda: env.url("X", "", ("redis",)),
        lambda: database_from_url(env.text("X")),
    ],
)
@pytest.mark.parametrize("value", [f"http://u:{CANARY}#@h:1/0", f"postgres://u:{CANARY}@h:x/0"])
def test_a_wrong_address_stops_the_start_without_telling_its_password(
    start: Callable[[], object], value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X", value)
    with pytest.raises(ImproperlyConfigured) as refused:
        start()
    assert "canary" not in "".join(traceback.format_exception(refused.value))


# ------------------------------------------------------------------ error pages


@pytest.mark.django_db
def test_the_error_page_of_debug_shows_no_setting_no_form_and_no_variable(
    settings: Settings, admin: User
) -> None:
    settings.DEBUG = True
    settings.SECRET_KEY = f"key-{CANARY}"
    settings.CREDENTIAL_KEYS = {"k": CANARY.encode().ljust(32)[:32]}
    settings.REDIS_URL = settings.CELERY_BROKER_URL = f"redis://:{CANARY}@redis/0"
    caches = {"LOCATION": f"redis://:{CANARY}@redis/0"}
    settings.SOME_CACHE = {"default": [caches, (f"rediss://u:{CANARY}@redis",)]}
    client = Client(raise_request_exception=False)
    client.force_login(admin)

    def broken(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        if sql.startswith('INSERT INTO "inventory_credentialprofile"'):
            raise ZeroDivisionError
        return execute(sql, *args)

    typed = {
        "name": "p", "username": "root", "password": CANARY, "kg": CANARY,
        "networks": "127.0.0.0/8", "privilege": "3",
    }  # fmt: skip
    with connection.execute_wrapper(broken):
        answer = client.post(
            "/profiles/add", typed, headers={"Authorization": f"Token {CANARY}", "X-Key": "shown"}
        )
    page = answer.content.decode()
    assert answer.status_code == 500
    assert "ZeroDivisionError" in page
    assert "Request Method" in page
    assert CANARY not in page
    assert client.cookies[settings.SESSION_COOKIE_NAME].value not in page


def test_the_error_mail_shows_no_text_of_a_variable(rf: RequestFactory, settings: Settings) -> None:
    settings.SECRET_KEY = CANARY
    request = rf.post("/", {"password": CANARY})
    revealed, number = Secret(CANARY).reveal(), 4711
    try:
        raise ValueError(len(revealed) + number)
    except ValueError as error:
        found = (type(error), error, error.__traceback__)
        reporter = ExceptionReporter(request, *found, is_email=True)
    assert type(get_exception_reporter_filter(request)).__name__ == "ReportFilter"
    for told in (reporter.get_traceback_html(), reporter.get_traceback_text()):
        assert CANARY not in told
        assert "4711" in told or "ValueError" in told


# ------------------------------------------------------------------ queue


def test_tasks_take_ids_only() -> None:
    app.loader.import_default_modules()
    ours = [task for name, task in app.tasks.items() if not name.startswith("celery.")]
    assert ours
    for task in ours:
        parameters = inspect.signature(task.run, eval_str=True).parameters.values()
        kinds = {parameter.annotation for parameter in parameters}
        assert kinds <= {int, list[int]}, (task.name, kinds)


# ------------------------------------------------------------------ Django admin


@pytest.mark.django_db
def test_django_admin_shows_nothing_sealed_and_no_hash(admin: User) -> None:
    profile = make_profile(password=CANARY)
    profile.secrets_set(password=Secret(CANARY), kg=Secret(CANARY))
    profile.save()
    make_server(profile=profile)
    TOTP.activate(admin, "JBSWY3DPEHPK3PXP")
    RecoveryCodes.activate(admin)
    token = api_token_create(user=admin, days=1)
    staff_follow(user=admin)
    client, seen = Client(), 0
    client.force_login(admin)
    hidden = (
        CANARY, token[15:], "JBSWY3DPEHPK3PXP", "v1.test.", admin.password[20:],
        str(client.session.session_key),
    )  # fmt: skip
    for model in django_admin.site._registry:
        label = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        paths = [reverse(f"{label}_changelist")]
        row = model._default_manager.first()
        if row is not None:
            paths += [reverse(f"{label}_{page}", args=[row.pk]) for page in ("change", "history")]
        for path in paths:
            answer = client.get(path)
            assert answer.status_code in (200, 403), path
            text = answer.content.decode()
            assert not [word for word in hidden if word in text], path
            seen += answer.status_code == 200
    assert seen > 10
