"""What admins do to the access of another person, each with its line in the audit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.services.access import access_end
from apps.accounts.services.rights import (
    admins_lock,
    not_themselves,
    person_lock,
)
from apps.accounts.services.tokens import tokens_revoke
from apps.audit.services import entry_record


def person_disable(
    *, actor: User, user: User, reason: str, expected_version: int | None = None
) -> None:
    """Let a person in no more: their sessions end now, their tokens and links are dead.

    :raises PermissionDenied: anybody but an admin.
    :raises ValidationError: admins do not disable themselves.
    :raises apps.core.stale.StaleObject: somebody saved them after this version was read.
    """
    with _held(actor, user, expected_version) as person:
        if not person.is_active:
            return
        person.is_active = False
        if not person.has_usable_password():
            person.set_unusable_password()  # an open link must not outlive it
        _save(person)
        access_end(user=person)
        _tell(actor, "disable", person, reason, {"is_active": True}, {"is_active": False})


def person_enable(
    *, actor: User, user: User, reason: str, expected_version: int | None = None
) -> None:
    """Let a person in again, with the roles they have.

    :raises: as `person_disable`.
    """
    with _held(actor, user, expected_version) as person:
        if person.is_active:
            return
        person.is_active = True
        _save(person)
        _tell(actor, "enable", person, reason, {"is_active": False}, {"is_active": True})


def password_change_ask(
    *, actor: User, user: User, reason: str = "", expected_version: int | None = None
) -> None:
    """Ask for a new password before anything else is shown.

    :raises: as `person_disable`.
    """
    own = _("You change your own password on the page of your account.")
    with _held(actor, user, expected_version, own) as person:
        if person.must_change_password:
            return
        person.must_change_password = True
        _save(person)
        before, after = {"must_change_password": False}, {"must_change_password": True}
        _tell(actor, "ask_password", person, reason, before, after)


def sign_out_everywhere(
    *,
    actor: User,
    user: User,
    with_tokens: bool,
    reason: str = "",
    expected_version: int | None = None,
) -> None:
    """End every session of a person, and their API tokens if that is asked for.

    :raises: as `person_disable`.
    """
    own = _("You end your own sessions on the page of your account.")
    with _held(actor, user, expected_version, own) as person:
        access_end(user=person)
        _tell(actor, "sign_out", person, reason)
        if with_tokens:
            tokens_revoke(actor=actor, user=person)


def second_factor_remove(
    *, actor: User, user: User, reason: str, expected_version: int | None = None
) -> None:
    """Take the second factor of a person away, recovery codes too: the phone is lost.

    :raises ValidationError: there is none; or as `person_disable`.
    """
    own = _("You remove your own second factor on the page of your account.")
    with _held(actor, user, expected_version, own) as person:
        factors = Authenticator.objects.filter(user=person)
        kinds = sorted(set(factors.values_list("type", flat=True)))
        if not kinds:
            raise ValidationError(_("There is no second factor to remove."))
        factors.delete()
        _save(person)
        access_end(user=person)
        _tell(actor, "remove_factor", person, reason, {"factors": kinds}, {"factors": []})


@contextmanager
def _held(actor: User, user: User, expected_version: int | None, own: str = "") -> Iterator[User]:
    """Hold the admins and the person for one change; `own` is said to who means themselves."""
    with transaction.atomic():
        admins_lock(actor)
        if actor.pk == user.pk:
            raise ValidationError(own or not_themselves(actor), code="yourself")
        yield person_lock(user, expected_version)


def _save(person: User) -> None:
    person.version += 1
    person.save()


def _tell(
    actor: User,
    verb: str,
    person: User,
    reason: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    entry_record(
        actor=actor, action=f"accounts.user.{verb}", obj=person, reason=reason,
        before=before, after=after,
    )  # fmt: skip
