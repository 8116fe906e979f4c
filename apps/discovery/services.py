"""Ordering a connection test. Nothing here talks to a BMC."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.audit.services import entry_record
from apps.core.dbtime import now_plus
from apps.discovery.choices import (
    LOST_SECONDS,
    PICK_UP_SECONDS,
    REPEAT_SECONDS,
    TESTS_PER_MINUTE,
    Outcome,
    Progress,
)
from apps.discovery.models import ConnectionTest
from apps.discovery.selectors import owner_key
from apps.inventory.choices import Protocol, SuiteChoice
from apps.inventory.models import Bmc, Server
from apps.inventory.selectors import may_add_servers
from apps.inventory.services.facts import (
    ServerFacts,
    binding_problems,
    needs_binding,
    workaround_problems,
)
from apps.inventory.services.servers import need_operator
from apps.jobs.selectors import owner_of, workers_serving
from apps.jobs.services import bells_ring


def connection_test_order(
    *, actor: User, facts: ServerFacts, server: Server | None = None
) -> ConnectionTest:
    """Order one attempt to log in, as `facts` say; the worker of the site is rung on commit.

    For a server its stored profile may be used at its stored address by every operator of it; any
    other profile or address is checked as if it was bound (S4). A second press is the same test.

    :raises PermissionDenied: no operator of that server; without one, of nothing at all.
    :raises ValidationError: by the name of the fact; or too many tests within a minute.
    """
    if server is not None:
        need_operator(actor, server.cluster)
    elif not may_add_servers(actor):
        raise PermissionDenied("operator of a cluster is needed")
    if problems := _problems(actor, facts, server):  # may ask a name server
        raise ValidationError({name: str(text) for name, text in problems.items()})
    test = ConnectionTest(
        requested_by=actor, server=server, site=facts.site, address=facts.address,
        port=facts.port, profile=facts.profile, suite=facts.suite,
        workarounds=sorted(facts.workarounds),
    )  # fmt: skip
    with transaction.atomic():
        # One person's presses come in one after another.
        User.objects.select_for_update().get(pk=actor.pk)
        if earlier := _repeated(test):
            return earlier
        _limit_check(actor)
        test.save(force_insert=True)
        entry_record(
            actor=actor, action="discovery.test.order", obj=server or test,
            after={
                "address": facts.address, "port": facts.port,
                "profile": test.profile.name, "suite": facts.suite,
            },
        )  # fmt: skip
        transaction.on_commit(partial(_owner_ring, test))
    return test


def connection_test_settle(*, test: ConnectionTest) -> ConnectionTest:
    """Give a test that nobody took, or that nobody brought to its end, its outcome; once."""
    if not test.is_open:
        return test
    rows = ConnectionTest.objects.filter(pk=test.pk)
    late = rows.filter(state=Progress.WAITING, created_at__lte=now_plus(-PICK_UP_SECONDS))
    lost = rows.filter(state=Progress.RUNNING, claimed_at__lte=now_plus(-LOST_SECONDS))
    if late.exists():
        is_served = owner_of("", test.site_id, workers_serving()) is not None
        outcome = Outcome.NOT_PICKED_UP if is_served else Outcome.NO_WORKER
        late.update(**_end(outcome, {"site": test.site.name}))
    lost.update(**_end(Outcome.INTERRUPTED, {}))
    test.refresh_from_db(fields=["state", "outcome", "params", "facts", "finished_at"])
    return test


def _end(outcome: Outcome, params: dict[str, Any]) -> dict[str, Any]:
    return {
        "state": Progress.DONE,
        "outcome": outcome,
        "params": params,
        "finished_at": Now(),
    }


def _problems(actor: User, facts: ServerFacts, server: Server | None) -> dict[str, str | Promise]:
    problems: dict[str, str | Promise] = dict(workaround_problems(facts.workarounds))
    if facts.suite not in SuiteChoice.values:
        problems["suite"] = _("Choose one of the cipher suites.")
    if facts.protocol not in Protocol.values:
        problems["protocol"] = _("Choose one of the protocols.")
    if not 1 <= facts.port <= 65535:
        problems["port"] = _("A port is a number from 1 to 65535.")
    if facts.profile is None:
        problems["profile"] = _("Choose a profile: without one nothing is sent to the BMC.")
        return problems
    others = Bmc.objects.exclude(pk=server.bmc_id) if server else Bmc.objects.all()
    if others.filter(address=facts.address, port=facts.port).exists():
        problems["address"] = _("A BMC at this address and port is in the portal already.")
    elif needs_binding(facts, server):
        problems |= binding_problems(actor, facts)
    return problems


def _repeated(test: ConnectionTest) -> ConnectionTest | None:
    """Return the test that this one only says again."""
    recent = Q(created_at__gt=now_plus(-REPEAT_SECONDS)) | (
        ~Q(state=Progress.DONE) & Q(created_at__gt=now_plus(-PICK_UP_SECONDS))
    )
    same = ConnectionTest.objects.filter(
        recent, requested_by=test.requested_by, server=test.server, site=test.site,
        address=test.address, port=test.port, profile=test.profile, suite=test.suite,
    )  # fmt: skip
    return next((row for row in same if row.workarounds == test.workarounds), None)


def _limit_check(actor: User) -> None:
    """:raises ValidationError:"""
    minute = ConnectionTest.objects.filter(requested_by=actor, created_at__gt=now_plus(-60))
    if minute.count() >= TESTS_PER_MINUTE:
        raise ValidationError(
            _("At most %(most)d tests within a minute. Nothing was sent. Wait a little."),
            code="too_many",
            params={"most": TESTS_PER_MINUTE},
        )


def _owner_ring(test: ConnectionTest) -> None:
    bells_ring([owner_of(owner_key(test), test.site_id, workers_serving())])
