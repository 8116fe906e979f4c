"""Every stored secret comes under the newest key while people and workers go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, connections
from pytest_django import Settings

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.bmc import Secret
from apps.core.secrets import key_newest, key_of
from apps.core.testing import make_profile, make_user
from apps.inventory.models import CredentialProfile
from apps.inventory.services import profiles
from bmcportal import reseal

pytestmark = pytest.mark.django_db

OLD, NEW = b"o" * 32, b"n" * 32


@pytest.fixture(autouse=True)
def old_key(settings: Settings) -> None:
    settings.CREDENTIAL_KEYS = {"old": OLD}


@pytest.fixture
def new_key(settings: Settings) -> Callable[[], None]:
    """Call it when the new key comes, before the old one."""

    def put() -> None:
        settings.CREDENTIAL_KEYS = {"new": NEW, "old": OLD}

    return put


def run(*words: str) -> tuple[str, str, str]:
    """Return what it says, what it complains about, and why it failed."""
    out, err = StringIO(), StringIO()
    try:
        call_command("credentials_reseal", *words, stdout=out, stderr=err)
    except CommandError as error:
        return out.getvalue(), err.getvalue(), str(error)
    return out.getvalue(), err.getvalue(), ""


def password_of(profile: CredentialProfile) -> str:
    return CredentialProfile.objects.get(pk=profile.pk).credential().password.reveal()


def test_every_secret_is_sealed_again_and_opens_without_the_old_key(
    new_key: Callable[[], None], settings: Settings, admin: User
) -> None:
    profile = make_profile(password="hunter2")
    profile.secrets_set(password=Secret("hunter2"), kg=Secret("kg of it"))
    profile.save()
    TOTP.activate(admin, "JBSWY3DPEHPK3PXP")
    codes = RecoveryCodes.activate(admin).generate_codes()
    Authenticator.objects.create(user=admin, type="webauthn", data={"credential": {}})
    version = profile.version
    new_key()
    out, err, failed = run()
    assert (err, failed) == ("", "")
    assert "credential profiles: 1 rows, 2 under new" in out
    assert "second factors: 2 rows, 2 under new" in out
    assert "older keys are not needed" in out
    settings.CREDENTIAL_KEYS = {"new": NEW}
    stored = CredentialProfile.objects.get(pk=profile.pk)
    credential = stored.credential()
    assert (credential.password, credential.kg) == (Secret("hunter2"), Secret("kg of it"))
    assert (stored.version, stored.secret_version, stored.updated_at) == (
        version,
        profile.secret_version,
        profile.updated_at,
    )
    rows = {row.type: row for row in Authenticator.objects.all()}
    assert RecoveryCodes(rows["recovery_codes"]).generate_codes() == codes
    assert rows["recovery_codes"].data["used_mask"] == 0
    assert key_of(rows["totp"].data["secret"]) == "new"


def test_it_is_written_down_without_the_secret(new_key: Callable[[], None]) -> None:
    profile = make_profile(password="hunter2")
    new_key()
    run()
    entry = AuditEntry.objects.get(action="secrets.profile.reseal")
    assert (entry.object_id, entry.actor_name) == (str(profile.pk), "system")
    assert (entry.before, entry.after) == ({"key": "old"}, {"key": "new"})


def test_a_second_run_changes_nothing(new_key: Callable[[], None]) -> None:
    profile = make_profile()
    new_key()
    run()
    sealed = CredentialProfile.objects.get(pk=profile.pk).sealed_password
    run()
    assert CredentialProfile.objects.get(pk=profile.pk).sealed_password == sealed
    assert AuditEntry.objects.filter(action="secrets.profile.reseal").count() == 1


def test_check_changes_nothing_and_fails_while_an_old_key_is_in_use(
    new_key: Callable[[], None],
) -> None:
    make_profile()
    assert run("--check")[2] == ""
    new_key()
    out, _, failed = run("--check")
    assert "credential profiles: 1 rows, 1 under old" in out
    assert "Old keys are still needed" in failed
    assert not AuditEntry.objects.exists()


def test_a_row_that_cannot_be_opened_is_named_and_the_others_are_done(
    new_key: Callable[[], None],
) -> None:
    first, broken, last = (make_profile(name=name, password=name) for name in "abc")
    copied = first.sealed_password  # the ciphertext of another row
    CredentialProfile.objects.filter(pk=broken.pk).update(sealed_password=copied)
    lost = make_profile(name="lost")
    CredentialProfile.objects.filter(pk=lost.pk).update(sealed_password="v1.gone.AAAA")
    new_key()
    out, err, failed = run()
    assert f"credential profile {broken.pk} (b), sealed_password" in err
    assert f"credential profile {lost.pk} (lost), sealed_password: no key 'gone'" in err
    assert copied not in out + err + failed
    assert "named above" in failed
    assert (password_of(first), password_of(last)) == ("a", "c")
    stored = {row.pk: row.sealed_password for row in CredentialProfile.objects.all()}
    assert key_of(stored[first.pk]) == key_of(stored[last.pk]) == "new"
    assert stored[broken.pk] == copied


def test_stopped_in_between_it_goes_on_from_there(
    new_key: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reseal, "AT_ONCE", 2)
    for number in range(5):
        make_profile(password=str(number))
    new_key()
    course = reseal.place_reseal(reseal.PLACES[0])
    assert next(course) == (2, 2)
    del course  # as if the command was stopped here
    out = run("--check")[0]
    assert "3 under old" in out
    assert "2 under new" in out
    assert run()[2] == ""
    found = {password_of(row) for row in CredentialProfile.objects.all()}
    assert found == set("01234")
    assert AuditEntry.objects.filter(action="secrets.profile.reseal").count() == 5


def test_a_process_with_the_old_keys_alone_is_found_out(
    new_key: Callable[[], None], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It saved a secret after its row was passed: the run says that the old key is in use."""
    profile = make_profile()
    new_key()
    real = reseal.place_reseal

    def with_a_late_save(place: reseal.Place) -> Any:
        yield from real(place)
        if place is reseal.PLACES[0]:
            settings.CREDENTIAL_KEYS = {"old": OLD}
            profile.secrets_set(password=Secret("later"), kg=None)
            profile.save()
            settings.CREDENTIAL_KEYS = {"new": NEW, "old": OLD}

    monkeypatch.setattr(
        "bmcportal.management.commands.credentials_reseal.place_reseal", with_a_late_save
    )
    assert "Old keys are still needed" in run()[2]
    monkeypatch.undo()
    assert run()[2] == ""
    assert password_of(profile) == "later"


def test_a_row_that_is_no_more_as_it_was_read_is_left_alone(new_key: Callable[[], None]) -> None:
    profile = make_profile(password="before")
    stale = CredentialProfile.objects.get(pk=profile.pk)
    profile.secrets_set(password=Secret("after"), kg=None)
    profile.save()
    new_key()
    assert reseal._row_reseal(reseal.PLACES[0], stale) == 0
    assert password_of(profile) == "after"
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(120)
def test_while_people_change_passwords_none_is_lost(
    new_key: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reseal, "AT_ONCE", 3)
    admin = make_user("root", "admin")  # type: ignore[arg-type]  # the word of the role
    rows = [make_profile(name=f"p{n}", password="first") for n in range(12)]
    new_key()
    wrong: list[BaseException] = []
    begin, is_over = threading.Barrier(2), threading.Event()
    wanted: dict[int, str] = {}

    def people() -> None:
        try:
            begin.wait(20)
            for turn in range(4):
                for row in rows[turn % 2 :: 2]:
                    facts = profiles.ProfileFacts(
                        name=row.name, username=row.username, privilege=row.privilege,
                        networks=row.networks, is_open_everywhere=True,
                    )  # fmt: skip
                    text = f"{row.name} turn {turn}"
                    profiles.profile_update(
                        actor=admin, profile=row, facts=facts, clusters=[], password=Secret(text)
                    )
                    wanted[row.pk] = text
        except BaseException as error:  # noqa: BLE001  the test looks at it
            wrong.append(error)
        finally:
            is_over.set()
            connections.close_all()

    thread = threading.Thread(target=people)
    thread.start()
    begin.wait(20)
    while not is_over.is_set():
        assert run()[2] == ""
    thread.join(60)
    assert not wrong
    assert {row.pk: password_of(row) for row in rows} == wanted
    sealed = CredentialProfile.objects.values_list("sealed_password", flat=True)
    assert {key_of(text) for text in sealed} == {"new"}


def test_every_sealed_field_there_is_has_its_place() -> None:
    known = {(place.rows().model, name) for place in reseal.PLACES for name in place.fields}
    fields = {
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if field.name.startswith("sealed")
    }
    assert fields
    assert fields <= known


def test_second_factors_are_sealed_where_they_are_stored(admin: User) -> None:
    TOTP.activate(admin, "JBSWY3DPEHPK3PXP")
    RecoveryCodes.activate(admin)
    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM mfa_authenticator")
        text = str(cursor.fetchall())
    assert "JBSWY3DPEHPK3PXP" not in text
    assert text.count(f"v1.{key_newest()}.") == 2
