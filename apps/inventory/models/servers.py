"""Servers, and what was last read of them."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.contrib.auth.models import AnonymousUser
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.clusters.choices import Role
from apps.clusters.models import Cluster
from apps.clusters.selectors import Reach, scope_filter
from apps.core.fields import NaturalKeyField
from apps.inventory.choices import CustomFieldKind, Power, Transition
from apps.inventory.models.bmcs import Bmc
from apps.inventory.models.racks import Rack


class Tag(models.Model):
    """A word by which servers are found; anybody who may edit a server may coin one."""

    name = models.CharField(_("name"), max_length=32, unique=True)

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class CustomField(models.Model):
    """A field that this organisation keeps about its servers; values are in `Server.custom_fields`
    under `key`: text, a number, an ISO date, or true and false."""

    key = models.SlugField(_("key"), max_length=32, unique=True)
    label = models.CharField(_("label"), max_length=64)
    kind = models.CharField(
        _("kind"), max_length=8, choices=CustomFieldKind, default=CustomFieldKind.TEXT
    )
    options = models.JSONField(_("options"), default=list, blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        verbose_name = _("custom field")
        verbose_name_plural = _("custom fields")
        ordering = ["position", "label"]

    def __str__(self) -> str:
        return self.label


class ServerQuerySet(models.QuerySet["Server"]):
    def visible_to(self, user: User | AnonymousUser | Reach) -> Self:
        return self.filter(scope_filter(user, Role.READONLY, "cluster"))

    def actionable_by(self, user: User | AnonymousUser | Reach, at_least: Role) -> Self:
        """Keep the servers on which this person holds at least that role."""
        return self.filter(scope_filter(user, at_least, "cluster"))


class Server(models.Model):
    """A computer that a BMC manages (Redfish ComputerSystem)."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    name_key = NaturalKeyField(source="name")
    asset_tag = models.CharField(_("asset tag"), max_length=64, blank=True)
    serial = models.CharField(_("serial number"), max_length=64, blank=True, db_index=True)
    model = models.CharField(_("model"), max_length=64, blank=True)
    tags = models.ManyToManyField(Tag, blank=True, related_name="servers", verbose_name=_("tags"))
    notes = models.TextField(_("notes"), max_length=4000, blank=True)
    custom_fields: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        _("custom fields"), default=dict, blank=True
    )
    is_protected = models.BooleanField(
        _("protected"), default=False, help_text=_("No power command is sent, on any path.")
    )
    protected_reason = models.CharField(_("why it is protected"), max_length=200, blank=True)
    rack = models.ForeignKey(
        Rack,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="servers",
        verbose_name=_("rack"),
    )
    rack_unit = models.PositiveSmallIntegerField(
        _("lowest rack unit"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    unit_count = models.PositiveSmallIntegerField(
        _("height in units"), default=1, validators=[MinValueValidator(1)]
    )
    cluster = models.ForeignKey(
        Cluster, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("cluster")
    )
    bmc = models.ForeignKey(Bmc, models.CASCADE, related_name="servers", verbose_name=_("BMC"))
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[ServerQuerySet] = ServerQuerySet.as_manager()  # type: ignore[assignment]  # typed manager

    class Meta:
        verbose_name = _("server")
        verbose_name_plural = _("servers")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["asset_tag"], condition=~Q(asset_tag=""), name="asset_tag_once"
            ),
            models.CheckConstraint(
                condition=Q(is_protected=False) | ~Q(protected_reason=""),
                name="protected_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(rack_unit__isnull=True) | Q(rack__isnull=False),
                name="rack_unit_in_a_rack",
            ),
        ]
        indexes = [models.Index(fields=["name_key", "name"], name="server_by_natural_name")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("inventory:server_detail", args=[self.pk])

    @cached_property
    def tag_names(self) -> list[str]:
        """The names of its tags in order; lists fill this for many servers at once."""
        return sorted(tag.name for tag in self.tags.all())

    @property
    def top_unit(self) -> int | None:
        """The highest rack unit it fills, or None where it stands in none."""
        return None if self.rack_unit is None else self.rack_unit + self.unit_count - 1


class ServerStatus(models.Model):
    """What was last read of a server. Written only through `inventory.services.status_record`.

    `power` is the last reading, or unknown when reading fails; then `fault` says why, `fault_at`
    since when, and `last_power` what was read before.
    """

    server = models.OneToOneField(Server, models.CASCADE, primary_key=True, related_name="status")
    power = models.CharField(max_length=8, choices=Power, default=Power.UNKNOWN)
    power_read_at = models.DateTimeField(null=True)
    last_power = models.CharField(max_length=8, choices=Power, default=Power.UNKNOWN)
    fault = models.CharField(max_length=32, default="never_read", blank=True)
    fault_params = models.JSONField(default=dict)
    fault_at = models.DateTimeField(db_default=Now(), null=True)
    transition = models.CharField(max_length=16, choices=Transition, blank=True)
    transition_at = models.DateTimeField(null=True)
    watched_until = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("server status")
        verbose_name_plural = _("server statuses")

    def __str__(self) -> str:
        return f"{self.server_id}: {self.power}"


class StateChange(models.Model):
    """One change of what is known of a server's power; written by `status_record`."""

    server = models.ForeignKey(Server, models.CASCADE, related_name="state_changes")
    at = models.DateTimeField(_("time"), db_default=Now(), editable=False)
    before = models.CharField(max_length=8, choices=Power)
    after = models.CharField(max_length=8, choices=Power)
    fault = models.CharField(max_length=32, blank=True)
    fault_params = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("state change")
        verbose_name_plural = _("state changes")
        ordering = ["-pk"]
        indexes = [models.Index(fields=["server", "-id"], name="state_change_of_server")]

    def __str__(self) -> str:
        return f"{self.server_id}: {self.before} → {self.after}"
