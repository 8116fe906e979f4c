"""What lists of jobs can be asked for."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import django_filters
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext_lazy as _

from apps.inventory.models import Server
from apps.jobs.choices import TargetState
from apps.jobs.models import Job, JobTarget

STATES: Final = [("open", _("At work")), ("finished", _("Finished"))]


def _servers(request: Any) -> QuerySet[Server]:
    return Server.objects.visible_to(request.user) if request else Server.objects.none()


class JobFilterSet(django_filters.FilterSet):  # type: ignore[misc]  # has no types
    kind = django_filters.CharFilter(label=_("Kind"), max_length=32)
    state = django_filters.ChoiceFilter(
        method="by_state", choices=STATES, label=_("State"), empty_label=None
    )
    actor = django_filters.CharFilter(
        field_name="actor_name", label=_("Actor"), max_length=150, help_text=_("The user name.")
    )
    server = django_filters.ModelMultipleChoiceFilter(
        queryset=_servers, method="by_server", label=_("Server")
    )
    created_after = django_filters.IsoDateTimeFilter(
        field_name="created_at", lookup_expr="gt", label=_("Created after")
    )

    class Meta:
        model = Job
        fields: ClassVar[list[str]] = []

    def by_state(self, rows: QuerySet[Job], name: str, value: str) -> QuerySet[Job]:
        return rows.filter(finished_at__isnull=value == "open")

    def by_server(self, rows: QuerySet[Job], name: str, value: list[Server]) -> QuerySet[Job]:
        if not value:
            return rows
        targets = JobTarget.objects.filter(job=OuterRef("pk"), server__in=value)
        return rows.filter(Exists(targets))


class TargetFilterSet(django_filters.FilterSet):  # type: ignore[misc]  # has no types
    state = django_filters.MultipleChoiceFilter(choices=TargetState.choices, label=_("State"))

    class Meta:
        model = JobTarget
        fields: ClassVar[list[str]] = []
