"""What lists of servers can be asked for; pages and REST use the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_
from typing import Any, ClassVar, Final

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import CharField, Q, QuerySet, Value
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_filters.fields import ModelMultipleChoiceField

from apps.clusters.models import Cluster, Site
from apps.clusters.selectors import clusters_visible, reach_for, sites_visible
from apps.core.nodesets import (
    MOST_CHARACTERS,
    NodeExpression,
    NodeSetError,
    Step,
    nodeset_parse,
    pattern_regex,
)
from apps.inventory.choices import Power
from apps.inventory.models import Rack, Server

SEARCH_LENGTH: Final = 100
MOST_CHOSEN: Final = 200
"""Clusters, sites or racks of one filter."""

EVERY_SERVER: Final = Q(pk__isnull=False)
GROUP_PATHS: Final = {
    "cluster": "cluster__name",
    "power": "status__power",
    "rack": "rack__name",
    "site": "bmc__site__name",
    "tag": "",
}
"""The kinds of groups in a node set. All are looked for among visible servers only."""


def is_search(request: HttpRequest) -> bool:
    """Say whether a list is asked for by words, which no index answers in no time."""
    return not request.GET.keys().isdisjoint(("q", "nodes"))


def _clusters(request: Any) -> QuerySet[Cluster]:
    return clusters_visible(reach_for(request)) if request else Cluster.objects.none()


def _sites(request: Any) -> QuerySet[Site]:
    return sites_visible(reach_for(request)) if request else Site.objects.none()


def _racks(request: Any) -> QuerySet[Rack]:
    rows = Rack.objects.select_related("site")
    return rows.visible_to(reach_for(request)) if request else rows.none()


class PlacesField(ModelMultipleChoiceField):  # type: ignore[misc]  # has no types
    """Reads ids only: the form looks up those of all its fields in one query."""

    def clean(self, value: Any) -> list[int | str]:
        ids: set[int | str] = set()
        chosen = value or []
        if len(chosen) > MOST_CHOSEN:
            raise ValidationError(_("Too many are chosen."), code="invalid_list")
        for text in map(str, chosen):
            if text == self.null_value and self.null_label is not None:
                ids.add(text)
            elif text.isascii() and text.isdecimal() and len(text) < 19:
                ids.add(int(text))
            else:
                raise ValidationError(_("A number is expected."), code="invalid_pk_value")
        return sorted(ids, key=str)

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.site} · {obj}" if isinstance(obj, Rack) else str(obj)


class PlacesFilter(django_filters.ModelMultipleChoiceFilter):  # type: ignore[misc]  # has no types
    field_class = PlacesField


class NodesField(forms.CharField):
    """A node set; cleaned to a `NodeExpression`, or to None."""

    def clean(self, value: Any) -> NodeExpression | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            expression = nodeset_parse(text, GROUP_PATHS)
            _powers_check(expression)
        except NodeSetError as error:
            params = {"place": error.place}
            raise ValidationError(
                _("%(what)s (Character %(place)d)") % {"what": error, "place": error.place},
                code="nodeset",
                params=params,
            ) from error
        return expression


class NodesFilter(django_filters.CharFilter):  # type: ignore[misc]  # has no types
    field_class = NodesField


class ServerFilterForm(forms.Form):
    """Refuses ids outside the person's reach like ids that do not exist."""

    filterset: ServerFilterSet
    named: dict[str, dict[int, str]]
    """The names of the chosen clusters, sites and racks, by field and id."""

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        self.named = self.filterset.names_find(cleaned)
        for field in ("cluster", "site", "rack"):
            wanted = cleaned.get(field) or []
            missing = [pk for pk in wanted if pk not in self.named[field] and pk != "null"]
            if missing:
                self.add_error(field, _("There is none of this number that you may see."))
        return cleaned


class ServerFilterSet(django_filters.FilterSet):  # type: ignore[misc]  # has no types
    """`q` looks into names, addresses, tags, serials, asset tags and models; `nodes` is a set in
    ClusterShell's syntax. Ids outside the person's reach are refused like ids that do not exist.

    The queryset that is passed in must hold visible servers only.
    """

    q = django_filters.CharFilter(label=gettext_lazy("Search"), max_length=SEARCH_LENGTH)
    nodes = NodesFilter(label=gettext_lazy("Node set"), max_length=MOST_CHARACTERS)
    power = django_filters.MultipleChoiceFilter(
        field_name="status__power", choices=Power.choices, label=gettext_lazy("Power")
    )
    cluster = PlacesFilter(
        queryset=_clusters, null_label=gettext_lazy("No cluster"), label=gettext_lazy("Cluster")
    )
    site = PlacesFilter(field_name="bmc__site", queryset=_sites, label=gettext_lazy("Site"))
    rack = PlacesFilter(
        queryset=_racks, null_label=gettext_lazy("No rack"), label=gettext_lazy("Rack")
    )
    tag = django_filters.CharFilter(
        field_name="tags__name", label=gettext_lazy("Tag"), max_length=32
    )
    model = django_filters.CharFilter(
        lookup_expr="icontains", label=gettext_lazy("Model"), max_length=64
    )
    fault = django_filters.CharFilter(
        field_name="status__fault", label=gettext_lazy("Fault"), max_length=32
    )
    protected = django_filters.BooleanFilter(
        field_name="is_protected", label=gettext_lazy("Protected")
    )

    class Meta:
        model = Server
        fields: ClassVar[list[str]] = []
        form = ServerFilterForm

    def get_form_class(self) -> type[ServerFilterForm]:
        form: type[ServerFilterForm] = super().get_form_class()
        form.filterset = self
        return form

    def filter_queryset(self, queryset: QuerySet[Server]) -> QuerySet[Server]:
        return queryset.filter(*self.conditions().values())

    def conditions(self) -> dict[str, Q]:
        """Return what each filter that was understood keeps; all of them must hold."""
        return {name: CONDITIONS[name](value) for name, value in self.understood().items()}

    def understood(self) -> dict[str, Any]:
        """Return what was asked and makes sense, by filter; the rest is in `errors`."""
        self.form.is_valid()
        cleaned: dict[str, Any] = getattr(self.form, "cleaned_data", {})
        return {name: value for name, value in cleaned.items() if value not in (None, "", [])}

    def names_find(self, cleaned: Mapping[str, Any]) -> dict[str, dict[int, str]]:
        """Look up, in one query, what is chosen by number."""
        found: dict[str, dict[int, str]] = {"cluster": {}, "site": {}, "rack": {}}
        parts = []
        for field in found:
            if ids := [pk for pk in cleaned.get(field) or [] if pk != "null"]:
                rows = self.form.fields[field].queryset.filter(pk__in=ids).order_by()
                kind = Value(field, output_field=CharField())
                parts.append(rows.values_list(kind, "pk", "name"))
        if parts:
            for kind, pk, name in parts[0].union(*parts[1:]):
                found[kind][pk] = name
        return found


def step_condition(step: Step) -> Q:
    """Return the condition of one part of a node set."""
    if step.is_all:
        return EVERY_SERVER
    if not step.source:
        return _any_of("name", step, "__regex") if step.is_pattern else Q(name__among=step.names)
    if step.source == "tag":
        return _tagged(_any_of("tag__name", step, "__iregex"))
    return _any_of(GROUP_PATHS[step.source], step, "__iregex")


def _any_of(path: str, step: Step, regex: str) -> Q:
    if step.is_pattern:
        return reduce(or_, (Q(**{path + regex: pattern_regex(name)}) for name in step.names))
    return reduce(or_, (Q(**{f"{path}__iexact": name}) for name in step.names))


def _tagged(condition: Q) -> Q:
    """Keep servers with such a tag: by a subquery, so that no server comes twice."""
    links = Server.tags.through.objects.filter(condition)
    return Q(pk__in=links.values("server_id"))


def _search(text: str) -> Q:
    return (
        Q(name__icontains=text)
        | Q(bmc__address__icontains=text)
        | Q(serial__icontains=text)
        | Q(asset_tag__icontains=text)
        | Q(model__icontains=text)
        | _tagged(Q(tag__name__icontains=text))
    )


def _fault(code: str) -> Q:
    """`any`, `none`, or the code of one fault."""
    if code == "any":
        return ~Q(status__fault="")
    return Q(status__fault="" if code == "none" else code)


def _chosen(path: str) -> Callable[[list[Any]], Q]:
    def condition(values: list[Any]) -> Q:
        ids = [value for value in values if value != "null"]
        kept = Q(**{f"{path}__in": ids})
        return kept | Q(**{f"{path}__isnull": True}) if len(ids) < len(values) else kept

    return condition


CONDITIONS: Final[dict[str, Callable[[Any], Q]]] = {
    "q": _search,
    "nodes": lambda expression: expression.condition(step_condition),
    "power": _chosen("status__power"),
    "cluster": _chosen("cluster"),
    "site": _chosen("bmc__site"),
    "rack": _chosen("rack"),
    "tag": lambda name: _tagged(Q(tag__name__iexact=name)),
    "model": lambda text: Q(model__icontains=text),
    "fault": _fault,
    "protected": lambda value: Q(is_protected=value),
}


def _powers_check(expression: NodeExpression) -> None:
    for step in expression.steps:
        if step.source == "power" and not step.is_pattern:
            for name in step.names:
                if name.lower() not in Power.values:
                    message = _("There is no power state “%(name)s”: on, off or unknown.")
                    raise NodeSetError(message % {"name": name[:40]}, step.place)
