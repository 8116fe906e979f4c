"""Servers and the BMCs behind them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.audit.services import entry_build, entry_record
from apps.clusters.choices import Role
from apps.clusters.models import Cluster
from apps.clusters.selectors import has_everywhere, scope_filter
from apps.core.stale import version_check
from apps.inventory.models import Bmc, CredentialProfile, Server, ServerStatus
from apps.inventory.services.facts import ServerFacts, facts_check, place_check
from apps.inventory.services.status import readings_forget, servers_changed
from apps.inventory.services.tags import tags_set, tags_sweep

BMC_FACTS: Final = frozenset(
    {"site", "address", "port", "profile", "suite", "protocol", "workarounds"}
)
"""What a server shares with the others that its BMC manages."""


def server_create(
    *, actor: User, facts: ServerFacts, reason: str = "", push: bool = True
) -> Server:
    """Store a server, its BMC and the state "never read".

    With `push=False` the caller calls `servers_changed` itself, for many.

    :raises PermissionDenied: no operator of that cluster.
    :raises ValidationError: see `facts_check`.
    """
    need_operator(actor, facts.cluster)
    facts_check(actor, facts, None)  # may ask a name server: outside the transaction
    with transaction.atomic():
        place_check(facts, None)
        bmc = Bmc(poll_due_at=Now())
        _bmc_fill(bmc, facts)
        bmc.save()
        server = Server(bmc=bmc)
        _server_fill(server, facts)
        server.save()
        tags_set(server, facts.tags)
        ServerStatus.objects.create(server=server)
        entry_record(
            actor=actor, action="inventory.server.create", obj=server,
            reason=reason, after=facts.told(),
        )  # fmt: skip
        if push:
            servers_changed([server.pk])
    return server


def server_update(
    *,
    actor: User,
    server: Server,
    facts: ServerFacts,
    expected_version: int | None = None,
    reason: str = "",
    push: bool = True,
) -> Server:
    """Change a server. Another address binds the profile anew: it must be usable there (S4).

    Moving it needs operator on both sides. What was read at the old address is no longer known.

    :raises PermissionDenied, ValidationError: as `server_create`; only admins lift a protection.
    :raises apps.core.stale.StaleObject: somebody saved it after this version was read.
    """
    need_operator(actor, server.cluster)
    need_operator(actor, facts.cluster)
    server = server_full(server.pk)
    version_check(server, expected_version)
    before = ServerFacts.of(server)
    if facts == before:
        return server
    _need_admin_to_lift(actor, before, facts)
    facts_check(actor, facts, server)  # may ask a name server: outside the transaction
    with transaction.atomic():
        checked, server = server, server_full(server.pk, is_locked=True)
        version_check(server, checked.version)
        place_check(facts, server)
        bmc = server.bmc
        is_elsewhere = (bmc.address, bmc.port) != (facts.address, facts.port)
        _bmc_fill(bmc, facts)
        bmc.poll_due_at = Now()
        if is_elsewhere:
            _bmc_forget(bmc)
        bmc.save()
        _server_fill(server, facts)
        server.version += 1
        server.save()
        tags_set(server, facts.tags)
        neighbours_tell(actor, {bmc.pk: (before, facts)}, {server.pk}, reason)
        entry_record(
            actor=actor, action="inventory.server.update", obj=server, reason=reason,
            **difference(before.told(), facts.told()),
        )  # fmt: skip
        if push:
            servers_changed([server.pk])
    return server_full(server.pk)


def server_delete(
    *, actor: User, server: Server, expected_version: int | None = None, reason: str = ""
) -> None:
    """Remove a server, and its BMC when no other server hangs on it. Nothing is sent.

    :raises PermissionDenied: no operator of its cluster.
    :raises ValidationError: it is protected.
    :raises apps.core.stale.StaleObject: somebody saved it after this version was read.
    """
    need_operator(actor, server.cluster)
    with transaction.atomic():
        server = server_full(server.pk, is_locked=True)
        version_check(server, expected_version)
        if server.is_protected:
            raise ValidationError(
                _("It is protected: %(why)s. An admin lifts the protection first.")
                % {"why": server.protected_reason}
            )
        entry_record(
            actor=actor, action="inventory.server.delete", obj=server, reason=reason,
            before=ServerFacts.of(server).told(),
        )  # fmt: skip
        bmc = server.bmc
        servers_changed([server.pk])
        tags = [tag.pk for tag in server.tags.all()]
        server.delete()
        tags_sweep(tags)
        if not bmc.servers.exists():
            bmc.delete()


def server_full(pk: int, *, is_locked: bool = False) -> Server:
    """Return the row as it is now, with everything that `ServerFacts.of` needs.

    :raises Server.DoesNotExist: it was removed meanwhile.
    """
    rows = Server.objects.select_related("cluster", "rack__site", "bmc__site", "bmc__profile")
    if is_locked:
        rows = rows.select_for_update(of=("self",))
    return rows.prefetch_related("tags").get(pk=pk)


def neighbours_tell(
    actor: User,
    moves: Mapping[int, tuple[ServerFacts, ServerFacts]],
    known: Collection[int],
    reason: str,
) -> None:
    """The other servers of a chassis are reached another way too: versions and histories say so.

    `moves` has before and after by BMC; `known` are the servers that were told already.
    """
    told = {pk: difference(*(_told_of_bmc(facts) for facts in both)) for pk, both in moves.items()}
    changed = [pk for pk, told_one in told.items() if told_one["after"]]
    rows = Server.objects.filter(bmc__in=changed) if changed else Server.objects.none()
    others = [server for server in rows if server.pk not in known]
    if not others:
        return
    Server.objects.filter(pk__in=[one.pk for one in others]).update(version=F("version") + 1)
    AuditEntry.objects.bulk_create(
        [
            entry_build(
                actor=actor, action="inventory.server.update", obj=server, reason=reason,
                **told[server.bmc_id],
            )
            for server in others
        ]
    )  # fmt: skip
    servers_changed(server.pk for server in others)


def _told_of_bmc(facts: ServerFacts) -> dict[str, Any]:
    return {name: value for name, value in facts.told().items() if name in BMC_FACTS}


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what changed, as `before` and `after` of an audit entry."""
    keys = [key for key in after if before.get(key) != after[key]]
    return {
        "before": {key: before.get(key) for key in keys},
        "after": {key: after[key] for key in keys},
    }


def profile_choices(actor: User, server: Server | None = None) -> Any:
    """Return the profiles this person may bind, and the one that is bound already."""
    usable = CredentialProfile.objects.usable_by(actor)
    if server is None or server.bmc.profile_id is None:
        return usable
    return CredentialProfile.objects.filter(
        Q(pk__in=usable.values("pk")) | Q(pk=server.bmc.profile_id)
    )


def need_operator(actor: User, cluster: Cluster | None) -> None:
    """:raises PermissionDenied: no operator of this cluster (of everything, for None)."""
    if cluster is None:
        is_allowed = has_everywhere(actor, Role.OPERATOR)
    else:
        reach = scope_filter(actor, Role.OPERATOR, "pk")
        is_allowed = Cluster.objects.filter(reach, pk=cluster.pk).exists()
    if not is_allowed:
        raise PermissionDenied("operator of the cluster is needed")


def _need_admin_to_lift(actor: User, before: ServerFacts, after: ServerFacts) -> None:
    """Whoever stole an operator's account shall not lift what protects the server from it."""
    if before.is_protected and not after.is_protected and not has_everywhere(actor, Role.ADMIN):
        raise ValidationError({"is_protected": _("Only an admin lifts the protection.")})


def _server_fill(server: Server, facts: ServerFacts) -> None:
    server.name, server.cluster = facts.name, facts.cluster
    server.asset_tag, server.serial, server.model = facts.asset_tag, facts.serial, facts.model
    server.notes = facts.notes
    # An empty value is no value.
    server.custom_fields = {
        key: value for key, value in facts.custom_fields.items() if value not in (None, "")
    }
    server.is_protected = facts.is_protected
    server.protected_reason = facts.protected_reason if facts.is_protected else ""
    server.rack, server.rack_unit = facts.rack, facts.rack_unit
    server.unit_count = facts.unit_count


def _bmc_fill(bmc: Bmc, facts: ServerFacts) -> None:
    bmc.site, bmc.address, bmc.port = facts.site, facts.address, facts.port
    bmc.profile, bmc.suite = facts.profile, facts.suite
    bmc.protocol, bmc.workarounds = facts.protocol, list(facts.workarounds)


def _bmc_forget(bmc: Bmc) -> None:
    """Another machine may answer there: nothing that was learned holds for it."""
    bmc.guid = bmc.seen_serial = bmc.vendor = bmc.product = bmc.firmware = ""
    bmc.refused_key, bmc.refused_count = "", 0
    readings_forget(bmc)
