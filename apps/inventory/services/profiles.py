"""Credential profiles: admins write them, nobody reads their secrets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class ProfileFacts:
    """What an admin may say about a profile, but its secrets; already validated by the form."""

    name: str
    username: str
    privilege: int
    networks: list[str]
    is_open_everywhere: bool


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
            actor=actor, action="inventory.profile.create", obj=profile, after=_told(profile)
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
    """
    _need_admin(actor)
    with transaction.atomic():
        profile = CredentialProfile.objects.select_for_update().get(pk=profile.pk)
        version_check(profile, expected_version)
        if password is None and not _is_inside(facts.networks, profile.networks):
            raise ValidationError(
                {"password": _("Wider networks need the password again: it is sent further.")}
            )
        before = _told(profile)
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
            before=before, after=_told(profile) | {"has_new_secret": password is not None},
        )  # fmt: skip
    return profile


def profile_delete(
    *, actor: User, profile: CredentialProfile, expected_version: int | None = None
) -> None:
    """Remove a profile, and with it its secrets.

    :raises PermissionDenied: anybody but an admin.
    :raises ValidationError: BMCs are read with it.
    :raises apps.core.stale.StaleObject: somebody saved it after this version was read.
    """
    _need_admin(actor)
    with transaction.atomic():
        profile = CredentialProfile.objects.select_for_update().get(pk=profile.pk)
        version_check(profile, expected_version)
        if count := profile.bmcs.count():
            words = ngettext(
                "%(n)d BMC is read with it. Choose another profile there first.",
                "%(n)d BMCs are read with it. Choose another profile there first.",
                count,
            )
            raise ValidationError(words % {"n": count})
        entry_record(
            actor=actor, action="inventory.profile.delete", obj=profile, before=_told(profile)
        )
        profile.delete()


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


def _told(profile: CredentialProfile) -> dict[str, object]:
    """What the audit may know: everything but the secrets."""
    return {
        "name": profile.name,
        "username": profile.username,
        "privilege": profile.privilege,
        "networks": profile.networks,
        "is_open_everywhere": profile.is_open_everywhere,
        "clusters": sorted(profile.clusters.values_list("name", flat=True)),
    }
