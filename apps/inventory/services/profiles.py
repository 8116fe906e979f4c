"""Credential profiles: admins write them, nobody reads their secrets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.accounts.models import User
from apps.audit.services import entry_record
from apps.bmc import Secret
from apps.clusters.choices import Role
from apps.clusters.models import Cluster
from apps.clusters.selectors import has_everywhere
from apps.core.stale import version_check
from apps.inventory.addresses import networks_parse
from apps.inventory.models import CredentialProfile
from apps.inventory.services.servers import difference


@dataclass(frozen=True, slots=True)
class ProfileFacts:
    """What an admin may say about a profile, but its secrets; already validated by the form."""

    name: str
    username: str
    privilege: int
    networks: list[str]
    is_open_everywhere: bool

    def told(self, clusters: Iterable[Cluster]) -> dict[str, object]:
        """Return plain values for the audit, for differences and for forms; no secrets."""
        return {
            "name": self.name,
            "username": self.username,
            "privilege": self.privilege,
            "networks": self.networks,
            "is_open_everywhere": self.is_open_everywhere,
            "clusters": sorted(cluster.name for cluster in clusters),
        }


def profile_create(
    *,
    actor: User,
    facts: ProfileFacts,
    clusters: Iterable[Cluster],
    password: Secret,
    kg: Secret | None = None,
) -> CredentialProfile:
    """Store a profile with its secrets.

    :raises PermissionDenied: anybody but an admin.
    """
    _need_admin(actor)
    profile = CredentialProfile()
    with transaction.atomic():
        _set(profile, facts)
        profile.secrets_set(password=password, kg=kg)
        profile.save()
        profile.clusters.set(clusters)
        entry_record(
            actor=actor, action="inventory.profile.create", obj=profile, after=profile_told(profile)
        )
    return profile


def profile_update(
    *,
    actor: User,
    profile: CredentialProfile,
    facts: ProfileFacts,
    clusters: Iterable[Cluster],
    password: Secret | None = None,
    kg: Secret | None = None,
    expected_version: int | None = None,
) -> CredentialProfile:
    """Change a profile. With a new secret or account, BMCs that refused are tried again.

    Without a new password the networks may only shrink: a secret is sent where it was meant to go
    when it was typed, and nowhere else.

    :raises PermissionDenied: anybody but an admin.
    :raises ValidationError: wider networks without the password; `password` names it.
    :raises apps.core.stale.StaleObject: somebody saved it after this version was read.
    :raises CredentialProfile.DoesNotExist: it was removed meanwhile.
    """
    _need_admin(actor)
    clusters = list(clusters)
    with transaction.atomic():
        profile = CredentialProfile.objects.select_for_update().get(pk=profile.pk)
        version_check(profile, expected_version)
        if password is None and not _is_inside(facts.networks, profile.networks):
            raise ValidationError(
                {"password": _("Wider networks need the password again: it is sent further.")}
            )
        before = profile_told(profile)
        if password is None and facts.told(clusters) == before:
            return profile
        is_other_account = facts.username != profile.username
        _set(profile, facts)
        if password is not None:
            profile.secrets_set(password=password, kg=kg)
        if password is not None or is_other_account:
            profile.secret_version += 1
        profile.version += 1
        profile.save()
        profile.clusters.set(clusters)
        entry_record(
            actor=actor, action="inventory.profile.update", obj=profile,
            **_difference(before, profile_told(profile), password is not None),
        )  # fmt: skip
    return profile


def profile_delete(
    *, actor: User, profile: CredentialProfile, expected_version: int | None = None
) -> None:
    """Remove a profile that no BMC is reached with, and its secrets.

    :raises PermissionDenied: anybody but an admin.
    :raises ValidationError: BMCs use it.
    :raises apps.core.stale.StaleObject, CredentialProfile.DoesNotExist: as the update.
    """
    _need_admin(actor)
    with transaction.atomic():
        profile = CredentialProfile.objects.select_for_update().get(pk=profile.pk)
        version_check(profile, expected_version)
        if count := profile.bmcs.count():
            text = ngettext(
                "%(n)d BMC is reached with it. Give it another profile first.",
                "%(n)d BMCs are reached with it. Give them another profile first.",
                count,
            )
            raise ValidationError(text % {"n": count})
        entry_record(
            actor=actor, action="inventory.profile.delete", obj=profile,
            before=profile_told(profile),
        )  # fmt: skip
        profile.delete()  # locked: no BMC can be bound to it meanwhile


def _need_admin(actor: User) -> None:
    if not has_everywhere(actor, Role.ADMIN):
        raise PermissionDenied("only admins change credential profiles")


def _is_inside(inner: list[str], outer: list[str]) -> bool:
    """Say whether each inner network lies in one of the outer ones."""
    wide = networks_parse(outer)
    return all(
        any(n.version == w.version and n.subnet_of(w) for w in wide)  # type: ignore[arg-type]  # same version
        for n in networks_parse(inner)
    )


def _set(profile: CredentialProfile, facts: ProfileFacts) -> None:
    profile.name = facts.name
    profile.username = facts.username
    profile.privilege = facts.privilege
    profile.networks = facts.networks
    profile.is_open_everywhere = facts.is_open_everywhere


def profile_told(profile: CredentialProfile) -> dict[str, object]:
    """Return what the audit may know: everything but the secrets."""
    facts = ProfileFacts(
        name=profile.name,
        username=profile.username,
        privilege=profile.privilege,
        networks=profile.networks,
        is_open_everywhere=profile.is_open_everywhere,
    )
    return facts.told(profile.clusters.all())


def _difference(
    before: dict[str, object], after: dict[str, object], has_new_secret: bool
) -> dict[str, Any]:
    told = difference(before, after)
    if has_new_secret:
        told["after"]["has_new_secret"] = True
    return told
