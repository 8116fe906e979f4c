"""Invitations: a link makes one account with the roles that the admin chose. Its hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.accounts.choices import Registration
from apps.accounts.models import Invitation, User
from apps.accounts.selectors import access_policy, invitations_open
from apps.accounts.services.people import (
    Grants,
    PersonFacts,
    grants_told,
    grants_write,
    person_build,
    person_told,
)
from apps.accounts.services.rights import admins_lock
from apps.audit.services import entry_record
from apps.clusters.choices import Role
from apps.clusters.models import Cluster, RoleGrant
from apps.core.dbtime import now_plus
from apps.core.locks import rows_lock

LONGEST_DAYS: Final = 30
_DAY_SECONDS: Final = 86400


@dataclass(frozen=True, slots=True)
class Offer:
    """Whom an invitation is for, and what it gives."""

    name: str
    email: str
    role: Role
    is_everywhere: bool
    clusters: Iterable[Cluster]
    days: int


def invitation_create(*, actor: User, offer: Offer) -> tuple[Invitation, str]:
    """Store an invitation; return it with the key of its link, which is kept nowhere.

    :raises PermissionDenied: anybody but an admin.
    :raises ValidationError: registration by invitation is off; more days than 30.
    """
    clusters = [] if offer.is_everywhere else list(offer.clusters)
    with transaction.atomic():
        admins_lock(actor)
        if access_policy().registration != Registration.INVITATION:
            raise ValidationError(_("Registration by invitation is off in the access policy."))
        if not 1 <= offer.days <= LONGEST_DAYS:
            raise ValidationError({"days": _("An invitation lives 1 to 30 days.")})
        if offer.role == Role.ADMIN and not offer.is_everywhere:
            raise ValidationError({"role": _("Admins are admins everywhere.")})
        key = secrets.token_urlsafe(32)
        invitation = Invitation(
            digest=digest_of(key),
            name=offer.name,
            email=offer.email,
            role=offer.role,
            is_everywhere=offer.is_everywhere,
            invited_by=actor,
        )
        invitation.expires_at = now_plus(offer.days * _DAY_SECONDS)  # the database's clock
        invitation.save()
        invitation.clusters.set(clusters)
        invitation.refresh_from_db()
        entry_record(
            actor=actor,
            action="accounts.invitation.create",
            obj=invitation,
            after=invitation_told(invitation),
        )
    return invitation, key


def invitation_revoke(*, actor: User, invitation: Invitation) -> None:
    """Take an invitation back.

    :raises PermissionDenied: anybody but an admin.
    :raises ValidationError: it was used before; the account it made is there.
    """
    with transaction.atomic():
        admins_lock(actor)
        rows = Invitation.objects.filter(pk=invitation.pk, revoked_at__isnull=True)
        if rows.filter(used_at__isnull=True).update(revoked_at=Now()):
            entry_record(actor=actor, action="accounts.invitation.revoke", obj=invitation)
        elif rows.exists():
            raise ValidationError(_("It was used. Disable the person instead, if need be."))


def invitation_accept(*, key: str, facts: PersonFacts, password: str) -> User:
    """Make the account. The invitation is used up by whoever comes first.

    :raises Invitation.DoesNotExist: no such invitation, or it does not work any more.
    :raises ValidationError: by field; the invitation stays open.
    """
    with transaction.atomic():
        # Nobody stops being an admin between this look and the end.
        rows_lock(RoleGrant.objects.filter(role=Role.ADMIN))
        invitation = invitations_open().get(digest=digest_of(key))
        mine = Invitation.objects.filter(pk=invitation.pk, used_at=None, revoked_at=None)
        if not mine.update(used_at=Now()):
            raise Invitation.DoesNotExist
        user = person_build(facts)
        user.set_password(password)
        user.save()
        grants_write(user, invitation_grants(invitation))
        Invitation.objects.filter(pk=invitation.pk).update(used_by=user)
        after = {**person_told(user), "grants": grants_told(user)}
        words = _("Invitation by %(name)s") % {"name": invitation.invited_by.username}
        entry_record(actor=user, action="accounts.user.create", obj=user, reason=words, after=after)
        entry_record(actor=user, action="accounts.invitation.accept", obj=invitation)
    return user


def invitation_of(key: str) -> Invitation | None:
    """Return the open invitation of this link; None for every link that does not work."""
    try:
        return invitations_open().get(digest=digest_of(key))
    except ObjectDoesNotExist:
        return None


def digest_of(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def invitation_grants(invitation: Invitation) -> Grants:
    """Return what it gives."""
    role = Role(invitation.role)
    if invitation.is_everywhere:
        return {None: role}
    return dict.fromkeys(invitation.clusters.values_list("pk", flat=True), role)


def invitation_told(invitation: Invitation) -> dict[str, Any]:
    names = sorted(invitation.clusters.values_list("name", flat=True))
    places = ["*"] if invitation.is_everywhere else names
    return {
        "name": invitation.name,
        "email": invitation.email,
        "expires_at": f"{invitation.expires_at:%Y-%m-%d %H:%M UTC}",
        "grants": dict.fromkeys(places, invitation.role),
    }
