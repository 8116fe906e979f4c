"""Is it still the machine of the record that answers at this address?

A cable in the wrong port, two BMCs with swapped addresses, a new mainboard: then a state would be
shown, or a command sent, to a machine that nobody meant.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from apps.bmc import BmcProtocolError, BmcRefused, BmcSession, FruRecord, serial_of
from apps.jobs.choices import ResultCode
from apps.jobs.worker.access import Access, NoAccess

NO_GUIDS: Final = frozenset({"0" * 32, "f" * 32})

SerialReader = Callable[[BmcSession], Awaitable[str]]


class WrongMachine(NoAccess):
    """Another machine answers. `params` say which, as far as it says so itself."""

    def __init__(self, seen: Seen) -> None:
        super().__init__(ResultCode.WRONG_IDENTITY, {"guid": seen.guid, "serial": seen.serial})


@dataclass(frozen=True, slots=True)
class Seen:
    """Who answered. Empty: the BMC does not say, or it was not asked."""

    guid: str = ""
    serial: str = ""


async def guid_read(bmc: BmcSession) -> str:
    """Return the system GUID, or nothing where the BMC offers none."""
    try:
        guid = await bmc.system_guid()
    except (BmcRefused, BmcProtocolError):
        return ""
    return "" if guid in NO_GUIDS else guid


async def fru_read(bmc: BmcSession) -> FruRecord | None:
    """Return the inventory, or None where the BMC has none or talks nonsense."""
    try:
        return await bmc.fru()
    except (BmcRefused, BmcProtocolError):
        return None


async def serial_read(bmc: BmcSession) -> str:
    """Return the serial number of the FRU inventory, or nothing where there is none to read."""
    fru = await fru_read(bmc)
    return serial_of(fru) if fru else ""


def is_recorded(access: Access, seen: Seen) -> bool:
    """Tell whether that is the machine of the record: the first thing both know decides.

    With nothing on record anybody is welcome. With something on record, a machine that shows
    nothing of it is not: a command could hit anything.
    """
    if access.guid and seen.guid:
        return access.guid == seen.guid
    if access.serial and seen.serial:
        return access.serial == seen.serial
    return not (access.guid or access.serial)


class Identities:
    """Who answered at each BMC under its present login. Asking costs a read or two per login.

    A machine cannot change under an open session: its successor would not know that session.
    """

    def __init__(self, read_serial: SerialReader = serial_read) -> None:
        self._read_serial = read_serial
        self._seen: dict[int, tuple[int, Seen]] = {}

    async def check(self, bmc: BmcSession, access: Access, *, anew: bool = False) -> Seen:
        """Compare who answers with the record.

        :param anew: also under a login that was asked before; for commands, and in doubt.
        :raises WrongMachine: it is another one.
        :raises BmcError: it could not be read.
        """
        number, seen = self._seen.get(access.bmc_id, (0, Seen()))
        if anew or not number or number != bmc.login_number:
            seen = await self._read(bmc, access)
            self._seen[access.bmc_id] = (bmc.login_number, seen)
        if not is_recorded(access, seen):
            raise WrongMachine(seen)
        return seen

    async def _read(self, bmc: BmcSession, access: Access) -> Seen:
        guid = await guid_read(bmc)
        needs_serial = bool(access.serial) and not (guid and access.guid)
        return Seen(guid, await self._read_serial(bmc) if needs_serial else "")
