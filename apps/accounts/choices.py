from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Registration(models.TextChoices):
    """How people come to have an account."""

    OFF = "off", _("Admins create accounts")
    INVITATION = "invitation", _("By invitation")
