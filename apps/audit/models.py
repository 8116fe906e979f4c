from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from apps.accounts.models import User


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    def visible_to(self, user: User | AnonymousUser) -> AuditEntryQuerySet:
        """Return what this person may see of the whole audit: admins all of it, others nothing.

        The history of one object is for whoever sees the object; its page asks that first.
        """
        return self.all() if user.is_authenticated and user.is_admin else self.none()

    def unsealed(self) -> AuditEntryQuerySet:
        return self.filter(number__isnull=True)


class AuditEntry(models.Model):
    """One change or command: written in the transaction of what it tells, never edited."""

    at = models.DateTimeField(_("time"), db_default=Now(), editable=False)
    # The hash covers the number of the person, so it stays whatever becomes of their row.
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="+",
        verbose_name=_("actor"),
    )
    actor_name = models.CharField(_("actor name"), max_length=150)
    action = models.CharField(_("action"), max_length=64)
    object_type = models.CharField(_("object type"), max_length=64)
    object_id = models.CharField(_("object id"), max_length=64)
    object_name = models.CharField(_("object name"), max_length=255)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    before = models.JSONField(_("before"), null=True)
    after = models.JSONField(_("after"), null=True)
    request_id = models.CharField(_("request"), max_length=64, blank=True)

    # Given by the sealer, soon after the commit; see `chain.py`.
    number = models.BigIntegerField(_("number"), null=True, unique=True, editable=False)
    previous_hash = models.CharField(
        _("hash of the row before"), max_length=64, blank=True, editable=False
    )
    hash = models.CharField(_("hash"), max_length=64, blank=True, editable=False)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["object_type", "object_id"], name="audit_object"),
            models.Index(fields=["actor_name", "-id"], name="audit_actor"),
            models.Index(fields=["action", "-id"], name="audit_action"),
            models.Index(fields=["at"], name="audit_at"),
            models.Index(fields=["id"], name="audit_unsealed", condition=Q(number__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor_name} {self.action} {self.object_name}"


class AuditHead(models.Model):
    """The last sealed row; one row, written by the sealer in the transaction of the seals.

    Rows that vanish at the end are missed by it: the next number goes on from here.
    """

    number = models.BigIntegerField(_("number"), default=0)
    hash = models.CharField(_("hash"), max_length=64)

    class Meta:
        verbose_name = _("head of the audit")
        verbose_name_plural = _("heads of the audit")
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_audit_head")]

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


class IdempotentRequest(models.Model):
    """A request that acted, and its answer: the same one again gets the answer and acts no more.

    Written in the transaction of what was done. Of the body only a hash is kept.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user")
    )
    key = models.CharField(_("key"), max_length=64)
    method = models.CharField(_("method"), max_length=8)
    path = models.CharField(_("path"), max_length=200)
    body_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(_("status"), default=0)
    headers: models.JSONField[dict[str, str], dict[str, str]] = models.JSONField(default=dict)
    answer = models.TextField(blank=True)
    created_at = models.DateTimeField(_("time"), db_default=Now(), editable=False, db_index=True)

    class Meta:
        verbose_name = _("idempotent request")
        verbose_name_plural = _("idempotent requests")
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="key_once_a_user")]

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.key}"


class RateCount(models.Model):
    """How much of a rate somebody has used up; see `apps.audit.rates`."""

    key = models.CharField(_("key"), max_length=100, primary_key=True)
    """The name of the rate, and whose: "search person 7", "sign_in address 10.0.0.1"."""
    free_at = models.FloatField(_("all free again"), db_index=True)
    """Seconds since 1970, by the clock of the database."""

    class Meta:
        verbose_name = _("rate count")
        verbose_name_plural = _("rate counts")

    def __str__(self) -> str:
        return self.key
