from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken

from apps.accounts.choices import Registration
from apps.clusters.choices import Role
from apps.clusters.models import Cluster
from apps.clusters.selectors import has_everywhere


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

    @property
    def is_admin(self) -> bool:
        """Asked by lower floors, which know no roles."""
        return has_everywhere(self, Role.ADMIN)


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


class ApiToken(AbstractAuthToken, models.Model):  # type: ignore[misc]  # has no types
    """A key with which scripts act as a person, within a ceiling. Only its hash is kept."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="api_tokens",
        verbose_name=_("user"),
    )
    digest = models.CharField(max_length=128, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=64)
    role_ceiling = models.CharField(
        _("may do at most"), max_length=16, choices=Role, default=Role.READONLY
    )
    expiry = models.DateTimeField(_("expires"))
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    """Right to a minute."""
    last_used_from = models.GenericIPAddressField(_("last used from"), null=True, editable=False)

    objects = models.Manager()

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_live(self) -> bool:
        return self.expiry > timezone.now()


class ScriptSession(models.Model):
    """What one sign-in of a script lives from: a chain of refresh tokens, the last of them good.

    No cookie opens it: it is no row of Django's sessions.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="script_sessions",
        verbose_name=_("user"),
    )
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    refresh_key = models.UUIDField(default=uuid.uuid4, editable=False)
    """Of the one refresh token that is good. Another one was used before."""
    auth_hash = models.CharField(max_length=128, editable=False)
    """Follows from the password, as in Django's sessions: a new password ends it."""
    address = models.GenericIPAddressField(_("address"), null=True, editable=False)
    created_at = models.DateTimeField(_("signed in"), default=timezone.now, editable=False)
    last_seen_at = models.DateTimeField(_("last seen"), default=timezone.now, editable=False)
    """Right to a minute."""
    expires_at = models.DateTimeField(_("expires"), editable=False)
    """Not later than this, however often it is refreshed."""

    class Meta:
        verbose_name = _("session of a script")
        verbose_name_plural = _("sessions of scripts")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.user_id} {self.address}"
