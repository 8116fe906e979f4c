"""What the audit can be asked for, on its page and over REST."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from apps.audit.models import AuditEntry
from apps.audit.words import actions_known, kinds_known

SORTS: Final = [("commands", _("Commands")), ("changes", _("Changes"))]
COMMAND_ENDS: Final = (".order", ".command", ".stop")
"""How actions end that are about what is sent to BMCs."""


def _moment() -> forms.DateTimeInput:
    return forms.DateTimeInput(attrs={"type": "datetime-local", "step": 1})


class EntryFilterSet(django_filters.FilterSet):  # type: ignore[misc]  # has no types
    """Times without a zone are of the person who asks."""

    q = django_filters.CharFilter(
        method="search",
        label=_("Search"),
        max_length=100,
        help_text=_("Part of a name, a reason or a request number."),
    )
    who = django_filters.CharFilter(field_name="actor_name", label=_("Who"), max_length=150)
    action = django_filters.ChoiceFilter(
        method="by_action", choices=actions_known, label=_("What"), empty_label=_("Anything")
    )
    kind = django_filters.ChoiceFilter(
        method="by_sort",
        choices=SORTS,
        label=_("Commands or changes"),
        empty_label=_("Commands and changes"),
    )
    object_type = django_filters.ChoiceFilter(
        choices=kinds_known, label=_("Kind of object"), empty_label=_("Any kind")
    )
    object_id = django_filters.CharFilter(label=_("Id of the object"), max_length=64)
    since = django_filters.IsoDateTimeFilter(
        field_name="at", lookup_expr="gte", label=_("From"), widget=_moment()
    )
    until = django_filters.IsoDateTimeFilter(
        field_name="at", lookup_expr="lt", label=_("Until"), widget=_moment()
    )

    class Meta:
        model = AuditEntry
        fields: ClassVar[list[str]] = []

    @property
    def asked(self) -> dict[str, str]:
        """Return what was asked for, as it stands in the address."""
        told: dict[str, Any] = self.form.data
        return {name: told[name] for name in self.base_filters if told.get(name)}

    def search(self, rows: QuerySet[AuditEntry], name: str, value: str) -> QuerySet[AuditEntry]:
        columns = ("actor_name", "object_name", "reason", "request_id")
        matching = Q()
        for column in columns:
            matching |= Q(**{f"{column}__icontains": value})
        return rows.filter(matching)

    def by_action(self, rows: QuerySet[AuditEntry], name: str, value: str) -> QuerySet[AuditEntry]:
        if value.startswith("*"):
            return rows.filter(action__endswith=value[1:])
        return rows.filter(action=value)

    def by_sort(self, rows: QuerySet[AuditEntry], name: str, value: str) -> QuerySet[AuditEntry]:
        commands = Q()
        for end in COMMAND_ENDS:
            commands |= Q(action__endswith=end)
        return rows.filter(commands if value == "commands" else ~commands)
