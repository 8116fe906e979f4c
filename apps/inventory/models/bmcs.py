"""How servers are reached."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.bmc import PREFERRED_SUITES, CipherSuite
from apps.clusters.models import Site
from apps.core.fields import NaturalKeyField
from apps.inventory.choices import Protocol, SuiteChoice
from apps.inventory.models.profiles import CredentialProfile


class Bmc(models.Model):
    """A baseboard management controller: where it listens and how to log in."""

    site = models.ForeignKey(Site, models.PROTECT, verbose_name=_("site"))
    address = models.CharField(
        _("address"), max_length=253, help_text=_("IP address or host name of the BMC.")
    )
    address_key = NaturalKeyField(source="address")
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
    protocol = models.CharField(
        _("protocol"), max_length=8, choices=Protocol, default=Protocol.IPMI
    )
    workarounds = models.JSONField(
        _("workarounds"),
        default=list,
        blank=True,
        help_text=_("For BMCs that do not follow the specification."),
    )
    vendor = models.CharField(_("vendor"), max_length=64, blank=True, editable=False)
    product = models.CharField(_("product"), max_length=64, blank=True, editable=False)
    firmware = models.CharField(_("firmware"), max_length=32, blank=True, editable=False)
    seen_serial = models.CharField(
        _("serial number"),
        max_length=64,
        blank=True,
        editable=False,
        help_text=_("As the BMC reports it."),
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
