from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.accounts.choices import Registration
from apps.clusters.choices import Role
from apps.clusters.models import Cluster


class User(AbstractUser):
    """A person. Rights come from `clusters.RoleGrant` alone, never from `groups` or superuser."""

    theme = models.CharField(
        _("theme"),
        max_length=8,
        blank=True,
        choices=[("light", _("Light")), ("dark", _("Dark"))],
    )
    language = models.CharField(_("language"), max_length=16, blank=True)
    """One of `settings.LANGUAGES`; empty: as the browser asks."""
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    """A name of the time zone database; empty: that of the portal."""
    must_change_password = models.BooleanField(_("must change the password"), default=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    role_ceiling: Role | None = None
    """Set by a token that may do less than its person; `clusters.selectors` never go above it.
    It belongs to one request and is not stored."""

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    def get_absolute_url(self) -> str:
        return reverse("accounts:user_detail", args=[self.pk])


class AccessPolicy(models.Model):
    """How people come in; one row."""

    second_factor_from = models.CharField(
        _("second factor needed from"), max_length=16, choices=Role, blank=True
    )
    """The weakest role that needs it; empty: nobody."""
    registration = models.CharField(
        _("registration"), max_length=16, choices=Registration, default=Registration.OFF
    )
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        verbose_name = _("access policy")
        verbose_name_plural = _("access policies")
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_access_policy")]

    def __str__(self) -> str:
        return str(_("access policy"))


class Invitation(models.Model):
    """A link with which one person makes an account. Only its hash is kept."""

    digest = models.CharField(max_length=64, unique=True, editable=False)
    name = models.CharField(_("for"), max_length=150)
    """Whom it is for, as the admin calls them."""
    email = models.EmailField(_("email address"), blank=True)
    role = models.CharField(_("role"), max_length=16, choices=Role)
    is_everywhere = models.BooleanField(_("everywhere"), default=False)
    clusters = models.ManyToManyField(Cluster, blank=True, verbose_name=_("clusters"))
    """Only where it is not everywhere: without any it gives nothing."""
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="invitations_sent",
        verbose_name=_("invited by"),
    )
    created_at = models.DateTimeField(_("time"), db_default=Now(), editable=False)
    expires_at = models.DateTimeField(_("expires"))
    used_at = models.DateTimeField(_("used"), null=True, blank=True)
    used_by = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="invitation",
        verbose_name=_("used by"),
    )
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name
