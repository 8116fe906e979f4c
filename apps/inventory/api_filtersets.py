"""What lists of racks, BMCs and profiles can be asked for over REST."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from apps.clusters.models import Site
from apps.clusters.selectors import sites_visible
from apps.inventory.models import Bmc, CredentialProfile, Rack

SEARCH_LENGTH: Final = 100


def _sites(request: Any) -> QuerySet[Site]:
    return sites_visible(request.user) if request else Site.objects.none()


class RackFilterSet(django_filters.FilterSet):  # type: ignore[misc]  # has no types
    """`q` looks into names."""

    q = django_filters.CharFilter(
        field_name="name", lookup_expr="icontains", label=_("Search"), max_length=SEARCH_LENGTH
    )
    site = django_filters.ModelMultipleChoiceFilter(queryset=_sites, label=_("Site"))

    class Meta:
        model = Rack
        fields: ClassVar[list[str]] = []


class BmcFilterSet(django_filters.FilterSet):  # type: ignore[misc]  # has no types
    """`q` looks into addresses; `vendor` is what the BMC reports, in any case."""

    q = django_filters.CharFilter(
        field_name="address", lookup_expr="icontains", label=_("Search"), max_length=SEARCH_LENGTH
    )
    site = django_filters.ModelMultipleChoiceFilter(queryset=_sites, label=_("Site"))
    vendor = django_filters.CharFilter(lookup_expr="iexact", label=_("Vendor"), max_length=64)

    class Meta:
        model = Bmc
        fields: ClassVar[list[str]] = []


class ProfileFilterSet(django_filters.FilterSet):  # type: ignore[misc]  # has no types
    """`q` looks into names."""

    q = django_filters.CharFilter(
        field_name="name", lookup_expr="icontains", label=_("Search"), max_length=SEARCH_LENGTH
    )

    class Meta:
        model = CredentialProfile
        fields: ClassVar[list[str]] = []
