from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.clusters.models import Site
from apps.inventory.models import Bmc, Server
from apps.jobs.choices import FINAL, AttemptOutcome, TargetState


class Job(models.Model):
    """One order of one person over any number of servers."""

    kind = models.CharField(_("kind"), max_length=32)
    params = models.JSONField(_("parameters"), default=dict)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("actor"),
    )
    actor_name = models.CharField(_("actor name"), max_length=150)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    request_key = models.UUIDField(null=True, unique=True, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    stop_requested_at = models.DateTimeField(_("stop requested"), null=True, editable=False)
    stopped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", editable=False
    )
    finished_at = models.DateTimeField(_("finished"), null=True, editable=False)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"#{self.pk} {self.kind}"


class JobTarget(models.Model):
    """One server of a job: its state, and at the end its one result.

    Written only through `apps.jobs.books`. `token` changes with every move: who holds an old one
    writes nothing. `fence` is the lease under which the present conversation acts.
    """

    job = models.ForeignKey(Job, models.CASCADE, related_name="targets", verbose_name=_("job"))
    server = models.ForeignKey(
        Server, models.SET_NULL, null=True, related_name="job_targets", verbose_name=_("server")
    )
    server_name = models.CharField(_("server name"), max_length=64)
    bmc = models.ForeignKey(Bmc, models.SET_NULL, null=True, related_name="+")
    state = models.CharField(
        _("state"), max_length=16, choices=TargetState, default=TargetState.QUEUED
    )
    state_at = models.DateTimeField(_("since"), db_default=Now())
    due_at = models.DateTimeField(db_default=Now())
    not_after = models.DateTimeField(_("not after"))
    verify_until = models.DateTimeField(null=True)
    token = models.UUIDField(default=uuid.uuid4, editable=False)
    fence = models.BigIntegerField(default=0, editable=False)
    worker = models.CharField(_("worker"), max_length=128, blank=True)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    evidence: models.JSONField[Any, Any] = models.JSONField(_("evidence"), default=dict)
    wanted_seen_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(_("answered"), null=True)
    previous_power = models.CharField(_("power before"), max_length=8, blank=True)
    final_power = models.CharField(_("power after"), max_length=8, blank=True)
    result = models.CharField(_("result"), max_length=32, blank=True)
    result_params: models.JSONField[Any, Any] = models.JSONField(default=dict)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("job target")
        verbose_name_plural = _("job targets")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["job", "server"], name="server_once_a_job"),
            models.CheckConstraint(
                condition=Q(state__in=sorted(FINAL), ended_at__isnull=False)
                | (~Q(state__in=sorted(FINAL)) & Q(ended_at__isnull=True)),
                name="final_has_its_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"], name="target_open_due", condition=Q(ended_at__isnull=True)
            ),
            models.Index(fields=["server", "-id"], name="target_of_server"),
        ]

    def __str__(self) -> str:
        return f"{self.server_name}: {self.state}"

    @property
    def state_enum(self) -> TargetState:
        return TargetState(self.state)


class CommandAttempt(models.Model):
    """One command that was about to go out. Written before it does, in the same transaction as
    its audit entry; `sent_at` is committed before the datagram leaves."""

    target = models.ForeignKey(JobTarget, models.CASCADE, related_name="attempts")
    command = models.CharField(_("command"), max_length=32)
    params = models.JSONField(default=dict)
    fence = models.BigIntegerField()
    worker = models.CharField(_("worker"), max_length=128)
    intent_at = models.DateTimeField(_("intended"), db_default=Now())
    sent_at = models.DateTimeField(_("sent"), null=True)
    answered_at = models.DateTimeField(_("answered"), null=True)
    outcome = models.CharField(
        _("outcome"), max_length=16, choices=AttemptOutcome, default=AttemptOutcome.NONE, blank=True
    )
    outcome_params = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("command attempt")
        verbose_name_plural = _("command attempts")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["target", "fence"], name="one_attempt_a_lease")
        ]

    def __str__(self) -> str:
        return f"{self.command} {self.outcome}"


class BmcLease(models.Model):
    """One writer per BMC. `token` grows with every acquisition; times are the database's."""

    bmc = models.OneToOneField(Bmc, models.CASCADE, primary_key=True, related_name="lease")
    holder = models.CharField(max_length=128, blank=True)
    claim = models.UUIDField(null=True)
    token = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("BMC lease")
        verbose_name_plural = _("BMC leases")

    def __str__(self) -> str:
        return f"{self.bmc_id}: {self.holder} {self.token}"


class Worker(models.Model):
    """A bmc worker that says it is alive. Without a site it serves every site."""

    name = models.CharField(_("name"), max_length=128, unique=True)
    site = models.ForeignKey(
        Site, models.CASCADE, null=True, related_name="+", verbose_name=_("site")
    )
    host = models.CharField(_("host"), max_length=255)
    pid = models.PositiveIntegerField(_("process"))
    started_at = models.DateTimeField(_("started"), db_default=Now())
    heartbeat_at = models.DateTimeField(_("last heartbeat"), db_default=Now())
    stopping_at = models.DateTimeField(_("stopping since"), null=True)
    counters: models.JSONField[dict[str, int], dict[str, int]] = models.JSONField(default=dict)
    """Totals since its start, told with each heartbeat; for `/metrics`."""

    objects: ClassVar[models.Manager[Worker]] = models.Manager()

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
