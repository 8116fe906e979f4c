"""Links with which people set their password: made by an admin, used once, nothing is stored."""

from __future__ import annotations

from typing import Final

from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.services.access import access_end
from apps.accounts.services.rights import admins_lock, person_lock
from apps.audit.services import entry_record


class _Keys(PasswordResetTokenGenerator):
    """The key is made of the password's hash: with a new hash every earlier link is dead."""

    key_salt = "apps.accounts.password_link"


_KEYS: Final = _Keys()


def password_link_create(
    *, actor: User, user: User, reason: str = "", expected_version: int | None = None
) -> str:
    """Return the key of a new link. The present password and earlier links stop working.

    :raises PermissionDenied: anybody but an admin.
    :raises ValidationError: of a disabled person; or admins mean themselves.
    :raises apps.core.stale.StaleObject: somebody saved them after this version was read.
    """
    with transaction.atomic():
        admins_lock(actor)
        if actor.pk == user.pk:
            own = _("You change your own password on the page of your account.")
            raise ValidationError(own, code="yourself")
        person = person_lock(user, expected_version)
        if not person.is_active:
            raise ValidationError(_("A link would not work: this person is disabled."))
        person.set_unusable_password()
        person.must_change_password = False
        person.version += 1
        person.save()
        access_end(user=person)
        entry_record(actor=actor, action="accounts.user.make_link", obj=person, reason=reason)
    return f"{person.pk}.{_KEYS.make_token(person)}"


def password_link_person(key: str) -> User | None:
    """Return whose password this link sets; None for every link that does not work."""
    pk, _dot, token = key.partition(".")
    if not (pk.isascii() and pk.isdigit() and len(pk) < 19):
        return None
    person = User.objects.filter(pk=int(pk), is_active=True).first()
    return person if person is not None and _KEYS.check_token(person, token) else None


def password_link_use(*, key: str, password: str) -> User:
    """Set the password; the link is used up. Of two at once, one wins.

    :raises django.core.exceptions.ObjectDoesNotExist: the link does not work (any more).
    """
    with transaction.atomic():
        found = password_link_person(key)
        if found is None:
            raise ObjectDoesNotExist
        person = User.objects.select_for_update(no_key=True).get(pk=found.pk)
        if password_link_person(key) is None:  # somebody else used it while this one waited
            raise ObjectDoesNotExist
        person.set_password(password)
        person.must_change_password = False
        person.version += 1
        person.save()
        access_end(user=person)
        entry_record(actor=person, action="accounts.user.use_link", obj=person)
    return person
