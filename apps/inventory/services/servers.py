"""Servers and the BMCs behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.audit.services import entry_record
from apps.bmc import BmcForbiddenAddress
from apps.clusters.choices import Role
from apps.clusters.models import Cluster, Site
from apps.clusters.selectors import has_everywhere, scope_filter
from apps.inventory.addresses import NameNotResolved, addresses_check, networks_parse
from apps.inventory.models import Bmc, CredentialProfile, Server, ServerStatus
from apps.inventory.services.status import readings_forget, servers_changed


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A server and how its BMC is reached; already validated by the form."""

    name: str
    cluster: Cluster | None
    site: Site
    address: str
    port: int
    profile: CredentialProfile | None
    suite: str


def server_create(*, actor: User, facts: ServerFacts) -> Server:
    """Store a server, its BMC and the state "never read".

    :raises PermissionDenied: no operator of that cluster.
    :raises ValidationError: the profile may not be used, or not at this address.
    """
    _need_operator(actor, facts.cluster)
    _need_binding(actor, facts)
    with transaction.atomic():
        bmc = Bmc(site=facts.site, profile=facts.profile, suite=facts.suite)
        bmc.address, bmc.port = facts.address, facts.port
        bmc.save()
        server = Server.objects.create(name=facts.name, cluster=facts.cluster, bmc=bmc)
        ServerStatus.objects.create(server=server)
        entry_record(actor=actor, action="inventory.server.create", obj=server, after=_told(server))
        servers_changed([server.pk])
    return server


def server_update(*, actor: User, server: Server, facts: ServerFacts) -> Server:
    """Change a server. Another address binds the profile anew: it must be usable there (S4).

    Moving it needs operator on both sides. What was read at the old address is no longer known.

    :raises PermissionDenied, ValidationError: as `server_create`.
    """
    _need_operator(actor, server.cluster)
    _need_operator(actor, facts.cluster)
    with transaction.atomic():
        server = Server.objects.select_for_update(of=("self",)).select_related("bmc").get(
            pk=server.pk
        )  # fmt: skip
        bmc, before = server.bmc, _told(server)
        is_elsewhere = (bmc.address, bmc.port) != (facts.address, facts.port)
        if is_elsewhere or bmc.profile_id != (facts.profile and facts.profile.pk):
            _need_binding(actor, facts)
        bmc.site, bmc.address, bmc.port = facts.site, facts.address, facts.port
        bmc.profile, bmc.suite, bmc.poll_due_at = facts.profile, facts.suite, Now()
        if is_elsewhere:
            bmc.guid, bmc.refused_key, bmc.refused_count = "", "", 0
            readings_forget(bmc)
        bmc.save()
        server.name, server.cluster = facts.name, facts.cluster
        server.save()
        server.refresh_from_db()
        entry_record(
            actor=actor, action="inventory.server.update", obj=server,
            before=before, after=_told(server),
        )  # fmt: skip
        servers_changed([server.pk])
    return server


def server_delete(*, actor: User, server: Server) -> None:
    """Remove a server, and its BMC when no other server hangs on it. Nothing is sent.

    :raises PermissionDenied: no operator of its cluster.
    """
    _need_operator(actor, server.cluster)
    with transaction.atomic():
        entry_record(
            actor=actor, action="inventory.server.delete", obj=server, before=_told(server)
        )
        bmc = server.bmc
        servers_changed([server.pk])
        server.delete()
        if not bmc.servers.exists():
            bmc.delete()


def profile_choices(actor: User, server: Server | None = None) -> Any:
    """Return the profiles this person may bind, and the one that is bound already."""
    usable = CredentialProfile.objects.usable_by(actor)
    if server is None or server.bmc.profile_id is None:
        return usable
    return CredentialProfile.objects.filter(
        Q(pk__in=usable.values("pk")) | Q(pk=server.bmc.profile_id)
    )


def _need_operator(actor: User, cluster: Cluster | None) -> None:
    if cluster is None:
        is_allowed = has_everywhere(actor, Role.OPERATOR)
    else:
        reach = scope_filter(actor, Role.OPERATOR, "pk")
        is_allowed = Cluster.objects.filter(reach, pk=cluster.pk).exists()
    if not is_allowed:
        raise PermissionDenied("operator of the cluster is needed")


def _need_binding(actor: User, facts: ServerFacts) -> None:
    """A secret goes only where it was meant to go: usable by this person, at this address."""
    profile = facts.profile
    if profile is None:
        return
    if not CredentialProfile.objects.usable_by(actor).filter(pk=profile.pk).exists():
        raise ValidationError({"profile": _("Choose a profile that was opened to you.")})
    try:
        addresses_check(facts.address, networks_parse(profile.networks))
    except NameNotResolved:
        raise ValidationError({"address": _("No address was found for this name.")}) from None
    except BmcForbiddenAddress:
        raise ValidationError(
            {
                "profile": _(
                    "The networks of this profile (%(networks)s) do not contain the address. "
                    "Choose another profile, or ask an admin."
                )
                % {"networks": ", ".join(profile.networks)}
            }
        ) from None


def _told(server: Server) -> dict[str, object]:
    bmc = server.bmc
    return {
        "name": server.name,
        "cluster": server.cluster.name if server.cluster else None,
        "site": bmc.site.name,
        "address": bmc.address,
        "port": bmc.port,
        "profile": bmc.profile.name if bmc.profile else None,
        "suite": bmc.suite,
    }
