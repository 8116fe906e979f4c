"""What pages say about a connection test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _

from apps.bmc import CipherSuite, Privilege
from apps.core.faults import Fault, fault_of
from apps.discovery.choices import Outcome
from apps.discovery.models import ConnectionTest
from apps.inventory.choices import PrivilegeChoice

SUITE_WORDS: Final = {CipherSuite.SHA1: "3 (SHA-1)", CipherSuite.SHA256: "17 (SHA-256)"}


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    value: str
    is_mono: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A test in words. `fault` is None while it is open, and when all is well."""

    test: ConnectionTest
    fault: Fault | None
    rows: list[Row]
    notes: list[str]

    @property
    def tone(self) -> str:
        """A class of `bp-state`."""
        if self.test.is_open:
            return "busy"
        return "done" if self.fault is None else "fail"


def shown(test: ConnectionTest) -> Shown:
    fault = None
    if not test.is_open and not test.is_ok:
        fault = fault_of(test.outcome or Outcome.INTERNAL, test.params)
    return Shown(test, fault, list(_rows(test.facts)), list(_notes(test.facts)))


def _rows(facts: dict[str, Any]) -> Iterator[Row]:
    plain = [
        (_("Vendor"), "vendor", False),
        (_("Model"), "product", False),
        (_("Serial number"), "serial", True),
        (_("System GUID"), "guid", True),
        (_("Firmware"), "firmware", False),
        (_("IPMI version"), "ipmi_version", False),
    ]
    for label, name, is_mono in plain:
        if value := facts.get(name):
            yield Row(label, str(value), is_mono)
    if suite := facts.get("suite"):
        yield Row(_("Cipher suite"), SUITE_WORDS.get(suite, str(suite)))
    if privilege := facts.get("privilege"):
        yield Row(_("Privilege"), _privilege(privilege))
    if (milliseconds := facts.get("latency_ms")) is not None:
        yield Row(_("Answer time"), _("%(n)s ms") % {"n": milliseconds})


def _privilege(level: int) -> str:
    if level in PrivilegeChoice.values:
        return str(PrivilegeChoice(level).label)
    return Privilege(level).name.capitalize() if level in list(Privilege) else str(level)


def _notes(facts: dict[str, Any]) -> Iterator[str]:
    if facts.get("is_new_session") is False:
        yield _("Asked in the session that was open already; no new login was needed.")
    if facts.get("is_partial"):
        yield _("The login worked. Not everything could be read within the time of a test.")
    if facts.get("allows_null_user"):
        yield _("This BMC lets users without a name log in. Switch that off on the BMC.")
