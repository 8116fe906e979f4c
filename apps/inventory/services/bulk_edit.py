"""Change many servers: all of those that were promised, or none."""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.audit.services import entry_build
from apps.bmc import BmcForbiddenAddress
from apps.clusters.choices import Role
from apps.clusters.selectors import has_everywhere
from apps.core.locks import rows_lock
from apps.inventory.addresses import NameNotResolved, addresses_check, is_literal, networks_parse
from apps.inventory.models import Bmc, CredentialProfile, Server
from apps.inventory.services.bulk import (
    BATCH,
    Refused,
    not_operator,
    operable_ids,
    saved_since,
    servers_loaded,
)
from apps.inventory.services.facts import (
    Problems,
    ServerFacts,
    custom_field_problems,
    outside_words,
    place_problems,
    tag_problems,
    word_problems,
)
from apps.inventory.services.servers import difference, need_operator, neighbours_tell
from apps.inventory.services.status import servers_changed
from apps.inventory.services.tags import tags_make, tags_sweep

EDITABLE: Final = frozenset(
    {"cluster", "rack", "profile", "model", "suite", "is_protected", "protected_reason"}
)
ON_SERVER: Final = ("cluster", "model", "is_protected", "protected_reason")
ON_BMC: Final = ("profile", "suite")
RESOLVE_SECONDS: Final = 10.0
"""For all host names of a change together; whoever has no address by then is refused."""


@dataclass(frozen=True, slots=True)
class ServerChanges:
    """What becomes of many servers; what is not named stays as it is."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    """New values of `EDITABLE` facts, as in `ServerFacts`. Another rack leaves the unit open."""
    tags_add: tuple[str, ...] = ()
    tags_remove: tuple[str, ...] = ()
    custom_fields: Mapping[str, Any] = field(default_factory=dict)
    """New values by key; None clears."""

    def __post_init__(self) -> None:
        if unknown := set(self.facts) - EDITABLE:
            raise ValueError(f"not for many servers at once: {sorted(unknown)}")

    def applied(self, facts: ServerFacts) -> ServerFacts:
        """Return what those facts become."""
        wanted = dict(self.facts)
        if "rack" in wanted and wanted["rack"] != facts.rack:
            wanted["rack_unit"] = None
        custom = {**facts.custom_fields, **self.custom_fields}
        tags = (set(facts.tags) | set(self.tags_add)) - set(self.tags_remove)
        return dataclasses.replace(
            facts,
            **wanted,
            tags=tuple(sorted(tags)),
            custom_fields={k: v for k, v in custom.items() if v not in (None, "")},
        )


@dataclass(frozen=True, slots=True)
class EditLine:
    """One server that changes, with what it was and becomes."""

    server: Server
    before: ServerFacts
    after: ServerFacts


@dataclass(slots=True)
class EditOutcome:
    """What a change of many servers does, or did (`is_written`)."""

    changed: list[EditLine] = field(default_factory=list)
    unchanged: list[Server] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    missing: int = 0
    """How many were shown and are gone, or not for this person any more."""
    is_written: bool = False

    @property
    def versions(self) -> dict[int, int]:
        """Return the servers that change with the versions that were looked at."""
        return {line.server.pk: line.server.version for line in self.changed}


def servers_edit_preview(
    *, actor: User, servers: Collection[Server], changes: ServerChanges
) -> EditOutcome:
    """Say what would become of these servers. Nothing is written.

    :raises PermissionDenied: no operator of the new cluster.
    :raises ValidationError: the change itself is wrong, by the name of the fact.
    """
    _changes_check(actor, changes)
    return _judged(actor, [server.pk for server in servers], changes)


def servers_edit(
    *,
    actor: User,
    servers: Collection[Server],
    changes: ServerChanges,
    expected: Mapping[int, int],
    reason: str = "",
) -> EditOutcome:
    """Change these servers: all of them, or none.

    `expected` has the version of each as it was shown. If one was saved since, was removed or
    cannot be changed, it is named in `refused`, and nothing is written.

    :raises PermissionDenied, ValidationError: as the preview.
    """
    _changes_check(actor, changes)
    ids = [server.pk for server in servers]
    outcome = _judged(actor, ids, changes)  # may ask a name server: outside the transaction
    _refuse_stale(outcome, expected)
    outcome.missing = len(set(expected) - set(ids))
    if outcome.refused or outcome.missing or not outcome.changed:
        return outcome
    with transaction.atomic():
        _refuse_moved(outcome)
        if not outcome.refused:
            _write(actor, outcome.changed, changes, reason)
            outcome.is_written = True
    return outcome


# ---------------------------------------------------------------- what is looked at


def _changes_check(actor: User, changes: ServerChanges) -> None:
    """Look at what is the same for every server."""
    problems: Problems = custom_field_problems(dict(changes.custom_fields))
    for name, tags in (("tags_add", changes.tags_add), ("tags_remove", changes.tags_remove)):
        if found := tag_problems(tags):
            problems[name] = found["tags"]
    profile = changes.facts.get("profile")
    usable = CredentialProfile.objects.usable_by(actor)
    if profile is not None and not usable.filter(pk=profile.pk).exists():
        problems["profile"] = _("Choose a profile that was opened to you.")
    if set(changes.tags_add) & set(changes.tags_remove):
        problems["tags_remove"] = _("A tag cannot be added and removed at once.")
    if problems:
        raise ValidationError({name: str(text) for name, text in problems.items()})
    if "cluster" in changes.facts:
        need_operator(actor, changes.facts["cluster"])


def _judged(actor: User, ids: Sequence[int], changes: ServerChanges) -> EditOutcome:
    outcome = EditOutcome()
    may_lift = has_everywhere(actor, Role.ADMIN)
    for batch in servers_loaded(ids):
        operable = operable_ids(actor, batch)
        for server in batch:
            before = ServerFacts.of(server)
            after = changes.applied(before)
            reasons = [] if server.pk in operable else [not_operator()]
            if before.is_protected and not after.is_protected and not may_lift:
                reasons.append(_("Only an admin lifts the protection."))
            if after == before:
                outcome.unchanged.append(server)
                continue
            problems = word_problems(after)
            if after.rack != before.rack:
                problems |= place_problems(after, server)
            reasons += [str(text) for text in problems.values()]
            if reasons:
                outcome.refused.append(Refused(server, tuple(dict.fromkeys(reasons))))
            else:
                outcome.changed.append(EditLine(server, before, after))
    _refuse_unreached(outcome)
    return outcome


def _refuse_unreached(outcome: EditOutcome) -> None:
    """A secret goes only where it was meant to go (S4): each address lies in the new networks."""
    bound = [
        line
        for line in outcome.changed
        if line.after.profile is not None and line.after.profile != line.before.profile
    ]
    if not bound:
        return
    profile = bound[0].after.profile
    assert profile is not None  # noqa: S101  the same for all of them
    problems = _unreached({line.before.address for line in bound}, profile)
    refused = {
        line.server.pk: problems[line.before.address]
        for line in bound
        if line.before.address in problems
    }
    outcome.refused += [
        Refused(line.server, (refused[line.server.pk],))
        for line in outcome.changed
        if line.server.pk in refused
    ]
    outcome.changed = [line for line in outcome.changed if line.server.pk not in refused]


def _unreached(addresses: Collection[str], profile: CredentialProfile) -> dict[str, str]:
    """Return the addresses to which the secret must not go, with the reason."""
    networks = networks_parse(profile.networks)

    def fault_of(address: str) -> type[Exception] | None:
        try:
            addresses_check(address, networks)
        except (BmcForbiddenAddress, NameNotResolved) as error:
            return type(error)
        return None

    faults = {address: fault_of(address) for address in addresses if is_literal(address)}
    names = [address for address in addresses if not is_literal(address)]
    pool = concurrent.futures.ThreadPoolExecutor(8, thread_name_prefix="bulk-resolve")
    asking = {name: pool.submit(fault_of, name) for name in names}
    concurrent.futures.wait(asking.values(), timeout=RESOLVE_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    for name, answer in asking.items():
        is_known = answer.done() and not answer.cancelled()
        faults[name] = answer.result() if is_known else NameNotResolved
    return {
        address: outside_words(profile)
        if fault is BmcForbiddenAddress
        else _("No address was found for this name.")
        for address, fault in faults.items()
        if fault is not None
    }


def _refuse_stale(outcome: EditOutcome, expected: Mapping[int, int]) -> None:
    """Refuse what was saved since it was shown, and what was shown and is not there any more."""
    fresh = []
    for line in outcome.changed:
        if expected.get(line.server.pk) == line.server.version:
            fresh.append(line)
        else:
            outcome.refused.append(Refused(line.server, (saved_since(),)))
    outcome.changed = fresh
    # Already as wanted although it was to change: somebody else did it.
    for server in outcome.unchanged:
        if server.pk in expected:
            outcome.refused.append(Refused(server, (saved_since(),)))


def _refuse_moved(outcome: EditOutcome) -> None:
    """Lock the rows; refuse those that are not any more what was judged."""
    seen: dict[int, ServerFacts] = {}
    ids = [line.server.pk for line in outcome.changed]
    for batch in servers_loaded(ids, is_locked=True):
        seen |= {server.pk: ServerFacts.of(server) for server in batch}
    fresh = []
    for line in outcome.changed:
        if seen.get(line.server.pk) == line.before:
            fresh.append(line)
        else:
            outcome.refused.append(Refused(line.server, (saved_since(),)))
    outcome.changed = fresh


# ---------------------------------------------------------------- what is written


def _write(actor: User, lines: list[EditLine], changes: ServerChanges, reason: str) -> None:
    added, dropped = tags_make(changes.tags_add), set[int]()
    known = {line.server.pk for line in lines}
    for start in range(0, len(lines), BATCH):
        batch = lines[start : start + BATCH]
        _write_servers(batch, changes)
        _write_bmcs(batch, changes)
        moves = {line.server.bmc_id: (line.before, line.after) for line in batch}
        neighbours_tell(actor, moves, known, reason)
        dropped |= _write_tags(batch, [tag.pk for tag in added], changes.tags_remove)
        AuditEntry.objects.bulk_create(
            [
                entry_build(
                    actor=actor, action="inventory.server.update", obj=line.server, reason=reason,
                    **difference(line.before.told(), line.after.told()),
                )
                for line in batch
            ]
        )  # fmt: skip
        servers_changed([line.server.pk for line in batch])
    tags_sweep(dropped)


def _write_servers(batch: list[EditLine], changes: ServerChanges) -> None:
    same = {name: changes.facts[name] for name in ON_SERVER if name in changes.facts}
    rows = Server.objects.filter(pk__in=[line.server.pk for line in batch])
    rows.update(**same, version=F("version") + 1, updated_at=Now())
    if "rack" in changes.facts:
        moved = [line.server.pk for line in batch if line.after.rack != line.before.rack]
        Server.objects.filter(pk__in=moved).update(rack=changes.facts["rack"], rack_unit=None)
    if changes.custom_fields:
        for line in batch:
            line.server.custom_fields = line.after.custom_fields
        Server.objects.bulk_update([line.server for line in batch], ["custom_fields"])


def _write_bmcs(batch: list[EditLine], changes: ServerChanges) -> None:
    same = {name: changes.facts[name] for name in ON_BMC if name in changes.facts}
    if same:
        ids = {line.server.bmc_id for line in batch}
        rows = Bmc.objects.filter(pk__in=ids)
        rows_lock(rows)
        rows.update(**same, poll_due_at=Now())


def _write_tags(batch: list[EditLine], added: list[int], removed: tuple[str, ...]) -> set[int]:
    """Add and remove tags; return those that may have lost their last server."""
    through = Server.tags.through
    ids = [line.server.pk for line in batch]
    gone = through._default_manager.filter(server__in=ids, tag__name__in=removed)
    dropped = set(gone.values_list("tag_id", flat=True)) if removed else set()
    if dropped:
        gone.delete()
    through._default_manager.bulk_create(
        [
            through(server_id=line.server.pk, tag_id=tag)
            for line in batch
            for tag in added
            if line.before.tags != line.after.tags
        ],
        ignore_conflicts=True,
    )
    return dropped
