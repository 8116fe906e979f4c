from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """A person. Rights come from `clusters.RoleGrant` alone, never from `groups` or superuser."""

    theme = models.CharField(
        _("theme"),
        max_length=8,
        blank=True,
        choices=[("light", _("Light")), ("dark", _("Dark"))],
    )

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.get_full_name() or self.username
