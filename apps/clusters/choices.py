from __future__ import annotations

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """The four roles, weakest first. Admin is granted everywhere or not at all."""

    READONLY = "readonly", _("Read only")
    USER = "user", _("User")
    OPERATOR = "operator", _("Operator")
    ADMIN = "admin", _("Admin")

    def and_above(self) -> list[Role]:
        """Return the roles that include this one."""
        return ROLE_ORDER[ROLE_ORDER.index(self) :]


ROLE_ORDER: Final = list(Role)
