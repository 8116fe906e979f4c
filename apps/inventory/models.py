from __future__ import annotations

import uuid
from typing import ClassVar, Self

from django.contrib.auth.models import AnonymousUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.bmc import PREFERRED_SUITES, CipherSuite, Credential, Privilege, Secret
from apps.clusters.choices import Role
from apps.clusters.models import Cluster, Site
from apps.clusters.selectors import grants_of, has_everywhere, scope_filter
from apps.core.secrets import secret_open, secret_seal
from apps.inventory.choices import Power, PrivilegeChoice, SuiteChoice, Transition


class CredentialProfileQuerySet(models.QuerySet["CredentialProfile"]):
    def usable_by(self, user: User | AnonymousUser) -> Self:
        """Keep the profiles this person may choose: admins all, operators those opened to them."""
        if has_everywhere(user, Role.ADMIN):
            return self
        grants = grants_of(user, Role.OPERATOR)
        if not grants.exists():
            return self.none()
        opened = models.Q(clusters__in=grants.values("cluster"))
        if grants.filter(cluster__isnull=True).exists():
            opened = models.Q(clusters__isnull=False)
        return self.filter(opened | models.Q(is_open_everywhere=True)).distinct()


class CredentialProfile(models.Model):
    """An account on BMCs. Secrets go in and never come out, but to a BMC inside `networks`."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=64, unique=True)
    username = models.CharField(_("BMC user name"), max_length=16)
    sealed_password = models.TextField(editable=False)
    sealed_kg = models.TextField(editable=False, blank=True)
    privilege = models.PositiveSmallIntegerField(
        _("privilege"), choices=PrivilegeChoice, default=PrivilegeChoice.OPERATOR
    )
    networks = models.JSONField(
        _("networks"),
        default=list,
        help_text=_("The secret is sent to BMCs inside these networks only."),
    )
    is_open_everywhere = models.BooleanField(_("every operator may use it"), default=False)
    clusters = models.ManyToManyField(
        Cluster, blank=True, verbose_name=_("operators of these clusters may use it")
    )
    secret_version = models.PositiveIntegerField(default=1, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[CredentialProfileQuerySet] = CredentialProfileQuerySet.as_manager()  # type: ignore[assignment]  # typed manager

    class Meta:
        verbose_name = _("credential profile")
        verbose_name_plural = _("credential profiles")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        """Name this very secret: changes whenever what would be sent changes."""
        return f"{self.uuid}.{self.secret_version}"

    def secrets_set(self, *, password: Secret, kg: Secret | None) -> None:
        """Replace both secrets; the caller saves."""
        self.sealed_password = secret_seal(password, bound_to=self._bound("password"))
        self.sealed_kg = secret_seal(kg, bound_to=self._bound("kg")) if kg else ""

    def credential(self) -> Credential:
        """Decrypt for the session engine; workers only.

        :raises SecretUnreadable: when no key opens the stored text.
        """
        kg = secret_open(self.sealed_kg, bound_to=self._bound("kg")) if self.sealed_kg else None
        return Credential(
            username=self.username,
            password=secret_open(self.sealed_password, bound_to=self._bound("password")),
            privilege=Privilege(self.privilege),
            kg=kg,
            key=self.key,
        )

    def _bound(self, field: str) -> str:
        return f"inventory.credentialprofile.{field}.{self.uuid}"


class Bmc(models.Model):
    """A baseboard management controller: where it listens and how to log in."""

    site = models.ForeignKey(Site, models.PROTECT, verbose_name=_("site"))
    address = models.CharField(
        _("address"), max_length=253, help_text=_("IP address or host name of the BMC.")
    )
    port = models.PositiveIntegerField(
        _("port"), default=623, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    profile = models.ForeignKey(
        CredentialProfile,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="bmcs",
        verbose_name=_("credential profile"),
    )
    suite = models.CharField(
        _("cipher suite"), max_length=8, choices=SuiteChoice, default=SuiteChoice.AUTO
    )
    guid = models.CharField(
        _("system GUID"),
        max_length=32,
        blank=True,
        editable=False,
        help_text=_("Read at the first login; a command is refused when it differs."),
    )
    refused_key = models.CharField(max_length=64, blank=True, editable=False)
    refused_count = models.PositiveSmallIntegerField(default=0, editable=False)
    poll_due_at = models.DateTimeField(db_default=Now(), editable=False, db_index=True)

    class Meta:
        verbose_name = _("BMC")
        verbose_name_plural = _("BMCs")
        constraints = [models.UniqueConstraint(fields=["address", "port"], name="bmc_listens_once")]

    def __str__(self) -> str:
        return self.address if self.port == 623 else f"{self.address}:{self.port}"

    @property
    def suites(self) -> tuple[CipherSuite, ...]:
        if self.suite == SuiteChoice.AUTO:
            return PREFERRED_SUITES
        return (CipherSuite(int(self.suite)),)


class ServerQuerySet(models.QuerySet["Server"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(scope_filter(user, Role.READONLY, "cluster"))

    def actionable_by(self, user: User | AnonymousUser, at_least: Role) -> Self:
        """Keep the servers on which this person holds at least that role."""
        return self.filter(scope_filter(user, at_least, "cluster"))


class Server(models.Model):
    """A computer that a BMC manages (Redfish ComputerSystem)."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    cluster = models.ForeignKey(
        Cluster, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("cluster")
    )
    bmc = models.ForeignKey(Bmc, models.CASCADE, related_name="servers", verbose_name=_("BMC"))
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[ServerQuerySet] = ServerQuerySet.as_manager()  # type: ignore[assignment]  # typed manager

    class Meta:
        verbose_name = _("server")
        verbose_name_plural = _("servers")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("inventory:server_detail", args=[self.pk])


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
