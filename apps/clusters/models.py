from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.clusters.choices import Role


class Site(models.Model):
    """A place with its own BMC network; bmc workers belong to one."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        verbose_name = _("site")
        verbose_name_plural = _("sites")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Cluster(models.Model):
    """Servers that serve one purpose; the scope in which roles are granted."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        verbose_name = _("cluster")
        verbose_name_plural = _("clusters")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class RoleGrant(models.Model):
    """One role of one person, in one cluster or (null) everywhere. The only record of rights."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="grants", verbose_name=_("user")
    )
    role = models.CharField(_("role"), max_length=16, choices=Role)
    cluster = models.ForeignKey(
        Cluster,
        models.CASCADE,
        null=True,
        blank=True,
        verbose_name=_("cluster"),
        help_text=_("Empty: everywhere."),
    )

    class Meta:
        verbose_name = _("role grant")
        verbose_name_plural = _("role grants")
        constraints = [
            models.UniqueConstraint(fields=["user", "cluster"], name="one_role_per_cluster"),
            models.UniqueConstraint(
                fields=["user"], condition=Q(cluster__isnull=True), name="one_role_everywhere"
            ),
            models.CheckConstraint(
                condition=~Q(role=Role.ADMIN) | Q(cluster__isnull=True), name="admin_is_global"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.role} {self.cluster or '*'}"
