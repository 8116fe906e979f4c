"""Where servers stand."""

from __future__ import annotations

from typing import ClassVar, Self

from django.contrib.auth.models import AnonymousUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.clusters.choices import Role
from apps.clusters.models import Site
from apps.clusters.selectors import Reach, has_everywhere, has_somewhere, scope_filter

MOST_UNITS = 60


class RackQuerySet(models.QuerySet["Rack"]):
    def visible_to(self, user: User | AnonymousUser | Reach) -> Self:
        """Keep the racks with servers this person may see; all of them with a role everywhere.

        Operators of a cluster see all: they choose where a server stands. As `sites_visible`.
        """
        if has_everywhere(user, Role.READONLY) or has_somewhere(user, Role.OPERATOR):
            return self
        return self.filter(scope_filter(user, Role.READONLY, "servers__cluster")).distinct()


class Rack(models.Model):
    """A rack of a site. `feeds` are the names of its power feeds, in order, such as "A" and "B"."""

    site = models.ForeignKey(Site, models.PROTECT, related_name="racks", verbose_name=_("site"))
    name = models.CharField(_("name"), max_length=64)
    units = models.PositiveSmallIntegerField(
        _("rack units"),
        default=42,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_UNITS)],
    )
    feeds = models.JSONField(_("power feeds"), default=list, blank=True)
    notes = models.TextField(_("notes"), max_length=4000, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[RackQuerySet] = RackQuerySet.as_manager()  # type: ignore[assignment]  # typed manager

    class Meta:
        verbose_name = _("rack")
        verbose_name_plural = _("racks")
        ordering = ["site__name", "name"]
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="rack_once_a_site")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("inventory:rack_detail", args=[self.pk])
