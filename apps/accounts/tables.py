"""One person as lists and pages show them: rights and state in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from apps.accounts.models import Invitation, User
from apps.accounts.words import roles_words
from apps.clusters.choices import Role

if TYPE_CHECKING:
    from apps.clusters.models import RoleGrant


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person in words. `factor` is "yes", "no" or "needed"."""

    user: User
    roles: list[str]
    mark: str
    state: str
    factor: str


def person_row(user: User, least: str) -> PersonRow:
    """Build it without a query: `user` comes with grants and `has_factor`; `least` is the weakest
    role that needs a second factor."""
    grants: Iterable[RoleGrant] = user.grants.all()
    held = [(grant.role, grant.cluster.name if grant.cluster else None) for grant in grants]
    mark, state = _state_of(user)
    return PersonRow(user, roles_words(held), mark, state, _factor_of(user, least, held))


def _state_of(user: User) -> tuple[str, str]:
    if not user.is_active:
        return "off", _("Disabled")
    if user.must_change_password:
        return "wait", _("Must change password")
    return "on", _("Active")


def _factor_of(user: User, least: str, held: list[tuple[str, str | None]]) -> str:
    if getattr(user, "has_factor"):  # noqa: B009  annotated by the selector
        return "yes"
    enough = Role(least).and_above() if least else []
    asked = user.is_active and any(role in enough for role, _place in held)
    return "needed" if asked else "no"


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """An invitation in words."""

    invitation: Invitation
    roles: list[str]
    mark: str
    state: str
    may_revoke: bool


def invitation_row(invitation: Invitation) -> InvitationRow:
    """Build it without a query: `invitation` comes from `selectors.invitations_listed`."""
    if invitation.is_everywhere:
        held: list[tuple[str, str | None]] = [(invitation.role, None)]
    else:
        held = [(invitation.role, cluster.name) for cluster in invitation.clusters.all()]
    mark, state = _invitation_state(invitation)
    may_revoke = invitation.used_at is None and invitation.revoked_at is None
    return InvitationRow(invitation, roles_words(held), mark, state, may_revoke)


def _invitation_state(invitation: Invitation) -> tuple[str, str]:
    if invitation.used_at is not None:
        return "done", _("Used")
    if invitation.revoked_at is not None:
        return "off", _("Taken back")
    if getattr(invitation, "is_expired"):  # noqa: B009  annotated by the selector
        return "off", _("Expired")
    if not getattr(invitation, "is_open"):  # noqa: B009  annotated by the selector
        return "wait", _("Does not work")
    return "on", _("Open")
