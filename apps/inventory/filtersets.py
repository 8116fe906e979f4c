"""What lists of servers and racks can be asked for; pages and REST use the same."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from apps.clusters.models import Cluster, Site
from apps.clusters.selectors import clusters_visible, sites_visible
from apps.inventory.choices import Power
from apps.inventory.models import Rack, Server

SEARCH_LENGTH: Final = 100

FAULTS: Final = [("any", _("Any fault")), ("none", _("No fault"))]


def _clusters(request: Any) -> QuerySet[Cluster]:
    return clusters_visible(request.user) if request else Cluster.objects.none()


def _sites(request: Any) -> QuerySet[Site]:
    return sites_visible(request.user) if request else Site.objects.none()


def _racks(request: Any) -> QuerySet[Rack]:
    return Rack.objects.visible_to(request.user) if request else Rack.objects.none()


class ServerFilterSet(django_filters.FilterSet):  # type: ignore[misc]  # has no types
    """`q` looks into names, addresses, tags, serials and models. Ids outside the person's reach
    are refused like ids that do not exist."""

    q = django_filters.CharFilter(method="search", label=_("Search"), max_length=SEARCH_LENGTH)
    power = django_filters.MultipleChoiceFilter(
        field_name="status__power", choices=Power.choices, label=_("Power")
    )
    cluster = django_filters.ModelMultipleChoiceFilter(
        queryset=_clusters, null_label=_("No cluster"), label=_("Cluster")
    )
    site = django_filters.ModelMultipleChoiceFilter(
        field_name="bmc__site", queryset=_sites, label=_("Site")
    )
    rack = django_filters.ModelMultipleChoiceFilter(
        queryset=_racks, null_label=_("No rack"), label=_("Rack")
    )
    tag = django_filters.CharFilter(field_name="tags__name", label=_("Tag"), max_length=32)
    model = django_filters.CharFilter(lookup_expr="icontains", label=_("Model"), max_length=64)
    fault = django_filters.CharFilter(method="by_fault", label=_("Fault"), max_length=32)
    protected = django_filters.BooleanFilter(field_name="is_protected", label=_("Protected"))

    class Meta:
        model = Server
        fields: ClassVar[list[str]] = []

    def search(self, rows: QuerySet[Server], name: str, value: str) -> QuerySet[Server]:
        text = value.replace("\0", "").strip()
        if not text:
            return rows
        return rows.filter(
            Q(name__icontains=text)
            | Q(bmc__address__icontains=text)
            | Q(serial__icontains=text)
            | Q(asset_tag__icontains=text)
            | Q(model__icontains=text)
        )

    def by_fault(self, rows: QuerySet[Server], name: str, value: str) -> QuerySet[Server]:
        """`any`, `none`, or the code of one fault."""
        if value == "any":
            return rows.exclude(status__fault="")
        return rows.filter(status__fault="" if value == "none" else value)
