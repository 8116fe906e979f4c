"""What inventory tells of itself to shared pages: words, counts, actions on many servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.audit.words import words_register
from apps.clusters.choices import Role
from apps.core.actions import Action, action_register
from apps.core.usage import Usage, usage_register
from apps.inventory.models import CredentialProfile, Rack, Server
from apps.inventory.selectors import SERVER_PAGE
from apps.inventory.words import ACTIONS, KINDS


def sign_in() -> None:
    """Register everything; once, when the apps are ready."""
    words_register(actions=ACTIONS, kinds=KINDS)
    _actions_register()
    _usages_register()


def _actions_register() -> None:
    action_register(
        Action(
            page=SERVER_PAGE,
            name="read",
            label=_("Read now"),
            permission=Role.READONLY.value,
            bulk_url=lambda: reverse("inventory:server_bulk_read"),
            icon="refresh-cw",
            order=10,
            has_dialog=False,
        )
    )
    action_register(
        Action(
            page=SERVER_PAGE,
            name="edit",
            label=_("Edit"),
            permission=Role.OPERATOR.value,
            bulk_url=lambda: reverse("inventory:servers_edit"),
            icon="pencil",
            order=60,
        )
    )
    action_register(
        Action(
            page=SERVER_PAGE,
            name="remove",
            label=_("Remove"),
            permission=Role.OPERATOR.value,
            bulk_url=lambda: reverse("inventory:servers_delete"),
            icon="trash-2",
            order=90,
            is_danger=True,
        )
    )


def _usages_register() -> None:
    servers_of = "inventory:server_list"
    usage_register(
        Usage(
            "clusters.cluster", "servers", _("Servers"), _server_words, _servers_in("cluster"),
            lambda cluster: f"{reverse(servers_of)}?cluster={cluster.pk}", 10,
        )
    )  # fmt: skip
    usage_register(
        Usage("clusters.cluster", "profiles", "", _profile_words, _profiles_of_clusters, None, 40)
    )
    usage_register(
        Usage(
            "clusters.site", "racks", _("Racks"), _rack_words, _racks_of_sites,
            lambda site: f"{reverse('inventory:rack_list')}?site={site.pk}", 10,
        )
    )  # fmt: skip
    usage_register(
        Usage(
            "clusters.site", "servers", _("Servers"), _server_words, _servers_in("bmc__site"),
            lambda site: f"{reverse(servers_of)}?site={site.pk}", 20,
        )
    )  # fmt: skip


def _server_words(number: int) -> str:
    return ngettext("%(n)d server", "%(n)d servers", number) % {"n": number}


def _rack_words(number: int) -> str:
    return ngettext("%(n)d rack", "%(n)d racks", number) % {"n": number}


def _profile_words(number: int) -> str:
    words = ngettext("%(n)d credential profile", "%(n)d credential profiles", number)
    return words % {"n": number}


def _servers_in(path: str) -> Any:
    def counts(user: Any, ids: Sequence[int]) -> dict[int, int]:
        rows = Server.objects.all() if user is None else Server.objects.visible_to(user)
        return _grouped(rows.filter(**{f"{path}__in": ids}), path)

    return counts


def _racks_of_sites(user: Any, ids: Sequence[int]) -> dict[int, int]:
    rows = Rack.objects.all() if user is None else Rack.objects.visible_to(user)
    return _grouped(Rack.objects.filter(pk__in=rows.order_by().values("pk"), site__in=ids), "site")


def _profiles_of_clusters(_user: Any, ids: Sequence[int]) -> dict[int, int]:
    return _grouped(CredentialProfile.objects.filter(clusters__in=ids), "clusters")


def _grouped(rows: QuerySet[Any], path: str) -> dict[int, int]:
    return dict(rows.order_by().values_list(path).annotate(number=Count("pk", distinct=True)))
