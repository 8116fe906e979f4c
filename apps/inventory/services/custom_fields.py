"""Fields that an organisation adds to its servers: defined by admins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Self

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.audit.services import entry_build, entry_record
from apps.clusters.choices import Role
from apps.clusters.selectors import has_everywhere
from apps.core.stale import version_check
from apps.inventory.choices import CustomFieldKind
from apps.inventory.models import CustomField, Server
from apps.inventory.services.facts import TEXT_LENGTH, Problems, text_problem
from apps.inventory.services.servers import difference

LABEL_LENGTH: Final = 64
MOST_OPTIONS: Final = 50
MOST_FIELDS: Final = 40
BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class CustomFieldFacts:
    """What an admin may say about a custom field. The key is chosen once and for all."""

    key: str
    label: str
    kind: str = CustomFieldKind.TEXT
    options: tuple[str, ...] = ()
    position: int = 0

    @classmethod
    def of(cls, row: CustomField) -> Self:
        """Return how it is now."""
        return cls(row.key, row.label, row.kind, tuple(row.options), row.position)

    def told(self) -> dict[str, Any]:
        """Return plain values for the audit, for differences and for forms."""
        return {
            "key": self.key,
            "label": self.label,
            "kind": str(self.kind),
            "options": list(self.options),
            "position": self.position,
        }


def customfield_create(*, actor: User, facts: CustomFieldFacts) -> CustomField:
    """Define a field.

    :raises PermissionDenied: anybody but an admin.
    :raises ValidationError: every problem at once, by the name of the fact.
    """
    _need_admin(actor)
    with transaction.atomic():
        if CustomField.objects.count() >= MOST_FIELDS:
            raise ValidationError(_("At most %(most)d custom fields.") % {"most": MOST_FIELDS})
        _check(facts, None)
        row = CustomField.objects.create(**facts.told())
        entry_record(
            actor=actor, action="inventory.customfield.create", obj=row, after=facts.told()
        )
    return row


def customfield_update(
    *,
    actor: User,
    field: CustomField,
    facts: CustomFieldFacts,
    expected_version: int | None = None,
) -> CustomField:
    """Change a field, but its key. What servers hold must stay true: neither the kind nor an option
    changes while a server has such a value.

    :raises PermissionDenied, ValidationError: as `customfield_create`.
    :raises apps.core.stale.StaleObject: somebody saved it after this version was read.
    :raises CustomField.DoesNotExist: it was removed meanwhile.
    """
    _need_admin(actor)
    with transaction.atomic():
        row = CustomField.objects.select_for_update().get(pk=field.pk)
        version_check(row, expected_version)
        before = CustomFieldFacts.of(row)
        if facts == before:
            return row
        _check(facts, row)
        row.label, row.kind = facts.label, facts.kind
        row.options, row.position = list(facts.options), facts.position
        row.version += 1
        row.save()
        told = difference(before.told(), facts.told())
        entry_record(
            actor=actor, action="inventory.customfield.update", obj=row,
            before=told["before"], after=told["after"],
        )  # fmt: skip
    return row


def customfield_delete(
    *, actor: User, field: CustomField, expected_version: int | None = None
) -> int:
    """Remove a field and its values; return how many servers lost one. Each is in the audit.

    :raises PermissionDenied, apps.core.stale.StaleObject, CustomField.DoesNotExist: as the update.
    """
    _need_admin(actor)
    with transaction.atomic():
        row = CustomField.objects.select_for_update().get(pk=field.pk)
        version_check(row, expected_version)
        count = 0
        for batch in _batches(servers_with(row).select_for_update().order_by("pk")):
            count += len(batch)
            _values_drop(actor, batch, row.key)
        entry_record(
            actor=actor, action="inventory.customfield.delete", obj=row,
            before=CustomFieldFacts.of(row).told(), after={"servers": count},
        )  # fmt: skip
        row.delete()
    return count


def servers_with(field: CustomField) -> QuerySet[Server]:
    """Return the servers that hold a value of this field."""
    return Server.objects.filter(custom_fields__has_key=field.key)


def _need_admin(actor: User) -> None:
    if not has_everywhere(actor, Role.ADMIN):
        raise PermissionDenied("only admins define custom fields")


def _batches(rows: QuerySet[Server]) -> Iterator[list[Server]]:
    ids = list(rows.values_list("pk", flat=True))
    for start in range(0, len(ids), BATCH):
        yield list(Server.objects.filter(pk__in=ids[start : start + BATCH]))


def _values_drop(actor: User, servers: list[Server], key: str) -> None:
    entries = []
    for server in servers:
        value = server.custom_fields.pop(key)
        server.version += 1
        entries.append(
            entry_build(
                actor=actor, action="inventory.server.update", obj=server,
                before={"custom_fields": {key: value}}, after={"custom_fields": {}},
            )
        )  # fmt: skip
    Server.objects.bulk_update(servers, ["custom_fields", "version"], batch_size=BATCH)
    AuditEntry.objects.bulk_create(entries)


def _check(facts: CustomFieldFacts, row: CustomField | None) -> None:
    problems = _word_problems(facts)
    if row is None and CustomField.objects.filter(key=facts.key).exists():
        problems["key"] = _("Another custom field has this key.")
    if row is not None and facts.key != row.key:
        problems["key"] = _("The key stays as it is: values are stored under it.")
    if row is not None and "options" not in problems:
        problems |= _value_problems(facts, row)
    if problems:
        raise ValidationError({name: str(text) for name, text in problems.items()})


def _word_problems(facts: CustomFieldFacts) -> Problems:
    problems: Problems = {}
    if not facts.label.strip():
        problems["label"] = _("A custom field needs a label.")
    elif problem := text_problem(facts.label, LABEL_LENGTH):
        problems["label"] = problem
    if facts.kind not in CustomFieldKind.values:
        problems["kind"] = _("Choose one of the list.")
    elif facts.kind == CustomFieldKind.CHOICE:
        problems |= _option_problems(facts.options)
    elif facts.options:
        problems["options"] = _("Only “One of a list” has options.")
    return problems


def _option_problems(options: tuple[str, ...]) -> Problems:
    if not options:
        return {"options": _("Name at least one option.")}
    if len(options) > MOST_OPTIONS:
        return {"options": _("At most %(most)d options.") % {"most": MOST_OPTIONS}}
    if len(set(options)) < len(options):
        return {"options": _("Each option once.")}
    for option in options:
        if problem := text_problem(option, TEXT_LENGTH):
            return {"options": problem}
    return {}


def _value_problems(facts: CustomFieldFacts, row: CustomField) -> Problems:
    """Compare with the values that servers hold."""
    holders = servers_with(row)
    if facts.kind != row.kind:
        count = holders.count()
        text = ngettext(
            "%(n)d server has a value of the old kind. Clear it first.",
            "%(n)d servers have a value of the old kind. Clear them first.",
            count,
        )
        return {"kind": text % {"n": count}} if count else {}
    gone = set(row.options) - set(facts.options)
    if facts.kind != CustomFieldKind.CHOICE or not gone:
        return {}
    used = {server.custom_fields[row.key] for server in holders.only("custom_fields")} & gone
    if not used:
        return {}
    text = _("Servers have the option %(options)s. Change them first.")
    return {"options": text % {"options": ", ".join(sorted(used))}}
