from __future__ import annotations

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _


class Power(models.TextChoices):
    """The values of `apps.bmc.PowerState`, with words for people."""

    ON = "on", _("On")
    OFF = "off", _("Off")
    UNKNOWN = "unknown", _("Unknown")


class Transition(models.TextChoices):
    """What an open job is doing to the power, shown beside the last read state."""

    NONE = "", ""
    STARTING = "starting", _("Starting")
    SHUTTING_DOWN = "shutting_down", _("Shutting down")
    RESETTING = "resetting", _("Resetting")


class SuiteChoice(models.TextChoices):
    AUTO = "auto", _("17, then 3")
    SHA256 = "17", _("17 only (SHA-256)")
    SHA1 = "3", _("3 only (SHA-1)")


class PrivilegeChoice(models.IntegerChoices):
    """The values of `apps.bmc.Privilege` that a profile may ask for."""

    OPERATOR = 3, _("Operator")
    ADMINISTRATOR = 4, _("Administrator")


PRIVILEGE_WORDS: Final[dict[PrivilegeChoice, str]] = {
    PrivilegeChoice.OPERATOR: "operator",
    PrivilegeChoice.ADMINISTRATOR: "administrator",
}
"""Privileges as IPMI names them; how the REST API tells them."""
PRIVILEGE_WORD_CHOICES: Final = [(word, word) for word in PRIVILEGE_WORDS.values()]


class Protocol(models.TextChoices):
    """How a BMC is spoken to. What the portal cannot speak is not offered."""

    IPMI = "ipmi", _("IPMI 2.0")


class Workaround(models.TextChoices):
    """The values of `apps.bmc.Workaround`, with words for people."""

    SKIP_AUTH_CAPABILITIES = "skip_auth_capabilities", _("Log in without asking what it offers")
    OPEN_SESSION_PRIVILEGE = "open_session_privilege", _("Name the privilege in Open Session")
    PADDED_USERNAME = "padded_username", _("Fill the user name up to 16 bytes")


class CustomFieldKind(models.TextChoices):
    TEXT = "text", _("Text")
    NUMBER = "number", _("Number")
    DATE = "date", _("Date")
    FLAG = "flag", _("Yes or no")
    CHOICE = "choice", _("One of a list")
