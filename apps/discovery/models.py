from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.clusters.models import Site
from apps.discovery.choices import Outcome, Progress
from apps.inventory.choices import SuiteChoice
from apps.inventory.models import CredentialProfile, Server


class ConnectionTest(models.Model):
    """One attempt to log in at an address, ordered by a person. Forgotten after a day.

    With a server it was ordered from that server's page or form; the address may be the one it is
    about to get.
    """

    uuid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    server = models.ForeignKey(Server, models.CASCADE, null=True, related_name="connection_tests")
    site = models.ForeignKey(Site, models.CASCADE, related_name="+")
    address = models.CharField(_("address"), max_length=253)
    port = models.PositiveIntegerField(_("port"))
    profile = models.ForeignKey(CredentialProfile, models.CASCADE, related_name="+")
    suite = models.CharField(_("cipher suite"), max_length=8, choices=SuiteChoice)
    workarounds = models.JSONField(_("workarounds"), default=list)
    state = models.CharField(_("state"), max_length=8, choices=Progress, default=Progress.WAITING)
    outcome = models.CharField(_("outcome"), max_length=32, blank=True)
    params: models.JSONField[Any, Any] = models.JSONField(default=dict)
    facts: models.JSONField[Any, Any] = models.JSONField(default=dict)
    created_at = models.DateTimeField(_("ordered"), db_default=Now(), editable=False)
    claimed_by = models.CharField(_("worker"), max_length=128, blank=True)
    claimed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        verbose_name = _("connection test")
        verbose_name_plural = _("connection tests")
        ordering = ["-created_at"]
        indexes = [
            models.Index(
                fields=["created_at"], name="test_waiting", condition=Q(state=Progress.WAITING)
            ),
            models.Index(fields=["requested_by", "-created_at"], name="test_of_person"),
            models.Index(fields=["server", "-created_at"], name="test_of_server"),
        ]

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"

    def get_absolute_url(self) -> str:
        return reverse("discovery:test_detail", args=[self.pk])

    @property
    def is_open(self) -> bool:
        return self.state != Progress.DONE

    @property
    def is_ok(self) -> bool:
        return self.outcome == Outcome.OK
