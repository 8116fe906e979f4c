"""What follows when something of the inventory is removed, told before it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.accounts.models import User
from apps.audit.words import Change, changes_told
from apps.core.removal import Removal
from apps.core.templatetags.portal import exact
from apps.inventory.choices import Power
from apps.inventory.models import CredentialProfile, CustomField, Rack, Server
from apps.inventory.services import DeleteOutcome, EditOutcome
from apps.inventory.services.custom_fields import servers_with
from apps.inventory.words import server_words

MOST_NAMED = 20


def server_removal(user: User | AnonymousUser, server: Server) -> Removal:
    """Return the question before a server is removed; it names only what this person may see."""
    blocked = []
    if server.is_protected:
        blocked.append(
            _("It is protected: %(why)s. An admin lifts the protection first.")
            % {"why": server.protected_reason}
        )
    return Removal(
        obj=server,
        url=reverse("inventory:server_delete", args=[server.pk]),
        back=server.get_absolute_url(),
        facts=[
            (_("Power"), _power_words(server)),
            (_("BMC"), str(server.bmc)),
            (_("Cluster"), server.cluster.name if server.cluster else ""),
            (_("Place"), place_words(server)),
        ],
        consequences=[
            _("Only the entry goes. Nothing is sent to the BMC; the computer stays as it is."),
            _bmc_words(user, server),
            *_cluster_words(server),
            _("Its jobs and the audit log are kept. It can be added again."),
        ],
        blocked=blocked,
    )


def place_words(server: Server) -> str:
    """Return site, rack and units of a server in one line."""
    parts = [server.bmc.site.name]
    if server.rack is not None:
        parts.append(_("rack %(name)s") % {"name": server.rack.name})
        if server.rack_unit is not None:
            parts.append(units_words(server.rack_unit, server.top_unit or server.rack_unit))
    return ", ".join(parts)


def units_words(low: int, high: int) -> str:
    """Write units as people do: U21, U21–22."""
    return f"U{low}" if low == high else f"U{low}–{high}"


def _power_words(server: Server) -> str:
    status = server.status
    if status.power == "unknown" or status.power_read_at is None:
        return _("Unknown")
    return _("%(power)s, read at %(time)s") % {
        "power": status.get_power_display(),
        "time": exact(status.power_read_at),
    }


def _bmc_words(user: User | AnonymousUser, server: Server) -> str:
    others = Server.objects.filter(bmc=server.bmc_id).exclude(pk=server.pk)
    number = others.count()
    if not number:
        return _("Its BMC goes too, with its address and what was learned of it.")
    seen = others.visible_to(user).order_by("name").values_list("name", flat=True)
    names = list(seen[:MOST_NAMED])
    words = ngettext(
        "Its BMC stays: it manages %(n)d other server.",
        "Its BMC stays: it manages %(n)d other servers.",
        number,
    ) % {"n": number}
    return f"{words} {', '.join(names)}" if names else words


def _cluster_words(server: Server) -> list[str]:
    if server.cluster_id is None:
        return []
    others = Server.objects.filter(cluster=server.cluster_id).exclude(pk=server.pk).count()
    name = server.cluster.name if server.cluster else ""
    if not others:
        return [_("It is the last server of %(cluster)s: the cluster stays, empty.")
                % {"cluster": name}]  # fmt: skip
    words = ngettext(
        "%(n)d other server stays in %(cluster)s.",
        "%(n)d other servers stay in %(cluster)s.",
        others,
    )
    return [words % {"n": others, "cluster": name}]


def rack_removal(rack: Rack) -> Removal:
    """Return the question before a rack is removed; for admins."""
    inside = list(rack.servers.order_by("name")[: MOST_NAMED + 1])
    return Removal(
        obj=rack,
        url=reverse("inventory:rack_delete", args=[rack.pk]),
        back=rack.get_absolute_url(),
        facts=[(_("Site"), rack.site.name), (_("Rack units"), str(rack.units))],
        consequences=[_("It goes from the list of racks and from the map.")],
        blocked=[_("Servers stand in it. Move or remove them first:")] if inside else [],
        used_by=_named(inside),
    )


def profile_removal(profile: CredentialProfile) -> Removal:
    """Return the question before a credential profile is removed; for admins."""
    users = list(
        Server.objects.filter(bmc__profile=profile).order_by("name")[: MOST_NAMED + 1]
    )  # fmt: skip
    blocked = [_("BMCs are reached with it. Give them another profile first:")] if users else []
    return Removal(
        obj=profile,
        url=reverse("inventory:profile_delete", args=[profile.pk]),
        back=reverse("inventory:profile_edit", args=[profile.pk]),
        facts=[
            (_("BMC user name"), profile.username),
            (_("Networks"), ", ".join(profile.networks)),
        ],
        consequences=[
            _("Its password goes with it and cannot be brought back."),
            _("The account on the BMCs stays as it is."),
        ],
        blocked=blocked,
        used_by=_named(users),
    )


def customfield_removal(field: CustomField) -> Removal:
    """Return the question before a custom field is removed; for admins."""
    count = servers_with(field).count()
    words = ngettext(
        "%(n)d server has a value of it. The value is removed too; the history keeps it.",
        "%(n)d servers have a value of it. The values are removed too; the history keeps them.",
        count,
    )
    return Removal(
        obj=field,
        url=reverse("inventory:customfield_delete", args=[field.pk]),
        back=reverse("inventory:customfield_edit", args=[field.pk]),
        facts=[(_("Key"), field.key), (_("Kind"), str(field.get_kind_display()))],
        consequences=[words % {"n": count} if count else _("No server has a value of it.")],
    )


@dataclass(frozen=True, slots=True)
class PreviewLine:
    """One server of a change of many, and what becomes of its facts."""

    server: Server
    changes: list[Change]


def preview_lines(outcome: EditOutcome, most: int) -> list[PreviewLine]:
    """Return what changes, in words, for the first servers."""
    words = server_words()
    return [
        PreviewLine(line.server, changes_told(line.before.told(), line.after.told(), words))
        for line in outcome.changed[:most]
    ]


def servers_consequences(outcome: DeleteOutcome) -> list[str]:
    """Return what follows when many servers are removed, the worst first."""
    states = Counter(server.status.power for server in outcome.removed)
    told = []
    if states[Power.ON]:
        words = ngettext(
            "%(n)d of them was on when it was last read. It stays on; nobody sees it here any "
            "more.",
            "%(n)d of them were on when they were last read. They stay on; nobody sees them here "
            "any more.",
            states[Power.ON],
        )
        told.append(words % {"n": states[Power.ON]})
    if states[Power.UNKNOWN]:
        words = ngettext("%(n)d is unknown.", "%(n)d are unknown.", states[Power.UNKNOWN])
        told.append(words % {"n": states[Power.UNKNOWN]})
    if emptied := _emptied(outcome.removed):
        told.append(_("No server stays in %(clusters)s.") % {"clusters": ", ".join(emptied)})
    told.append(_("Only the entries go. Nothing is sent to a BMC; the computers stay as they are."))
    told.append(_("BMCs go with their last server, with what was learned of them."))
    return told


def _emptied(servers: list[Server]) -> list[str]:
    """Return the names of the clusters in which no server stays."""
    going = Counter(server.cluster_id for server in servers if server.cluster_id is not None)
    names = {server.cluster_id: server.cluster.name for server in servers if server.cluster}
    rows = Server.objects.filter(cluster__in=going).order_by().values_list("cluster")
    there = dict(rows.annotate(number=Count("pk")))
    return sorted(names[pk] for pk, number in going.items() if there.get(pk, 0) <= number)


def _named(servers: list[Server]) -> list[tuple[str, str]]:
    named = [(server.name, server.get_absolute_url()) for server in servers[:MOST_NAMED]]
    if len(servers) > MOST_NAMED:
        named.append((_("and more"), ""))
    return named
