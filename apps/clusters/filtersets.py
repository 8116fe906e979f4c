"""What lists of sites and clusters can be asked for."""

from __future__ import annotations

from typing import ClassVar

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from apps.clusters.models import Cluster, Site


class NameFilterSet(django_filters.FilterSet):  # type: ignore[misc]  # has no types
    """`q` looks into names."""

    q = django_filters.CharFilter(method="search", label=_("Search"), max_length=100)

    def search(
        self, rows: QuerySet[Cluster | Site], name: str, value: str
    ) -> QuerySet[Cluster | Site]:
        return rows.filter(name__icontains=value)


class SiteFilterSet(NameFilterSet):
    class Meta:
        model = Site
        fields: ClassVar[list[str]] = []


class ClusterFilterSet(NameFilterSet):
    class Meta:
        model = Cluster
        fields: ClassVar[list[str]] = []
