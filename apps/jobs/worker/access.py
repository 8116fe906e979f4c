"""How to reach a BMC: its pinned address and its secret, or the reason why not."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from django.conf import settings

from apps.bmc import (
    BmcError,
    BmcForbiddenAddress,
    BmcUnreachable,
    CipherSuite,
    Credential,
    Endpoint,
    Workaround,
)
from apps.bmc.client import DestinationPolicy, parse_address
from apps.core.secrets import SecretUnreadable
from apps.inventory.models import Bmc, Server, ServerStatus
from apps.jobs.choices import ResultCode
from apps.jobs.worker.refusals import StoredRefusals

RESOLVE_SECONDS: Final = 3.0
NO_BMC: Final = 0
"""The `bmc_id` of an address that is not in the inventory."""


class NoAccess(Exception):
    """It is not even tried; `code` says why."""

    def __init__(self, code: str, params: dict[str, str | int | float] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.params = params or {}


@dataclass(frozen=True, slots=True)
class BmcRow:
    """What the database says about a BMC, read and decrypted in one go at use."""

    bmc_id: int
    server_ids: tuple[int, ...]
    address: str
    port: int
    suites: tuple[int, ...]
    workarounds: frozenset[Workaround]
    networks: tuple[str, ...]
    credential: Credential | None
    fault: str
    guid: str
    own_key: str
    """The secret it is read with; `credential` may be another one that somebody tries."""
    refused_key: str
    refused_count: int
    read_at: float
    serial: str = ""
    """As the BMC reported it."""
    is_doubted: bool = False
    """When it was read last, another machine answered."""
    is_known: bool = False
    """Vendor, product and serial number have been learnt."""


@dataclass(frozen=True, slots=True)
class Access:
    bmc_id: int
    server_ids: tuple[int, ...]
    endpoint: Endpoint
    credential: Credential
    guid: str
    serial: str = ""
    """As the BMC reported it."""


def rows_load(bmc_ids: Iterable[int]) -> dict[int, BmcRow]:
    """Read and decrypt what conversations with these BMCs need; in a database thread."""
    read_at, ids = monotonic(), list(bmc_ids)
    servers: dict[int, list[int]] = {}
    for server_id, bmc_id in Server.objects.filter(bmc__in=ids).values_list("pk", "bmc_id"):
        servers.setdefault(bmc_id, []).append(server_id)
    doubted = set(
        ServerStatus.objects.filter(
            server__bmc__in=ids, fault=ResultCode.WRONG_IDENTITY
        ).values_list("server__bmc_id", flat=True)
    )
    rows = Bmc.objects.filter(pk__in=ids).select_related("profile")
    return {bmc.pk: _row(bmc, servers.get(bmc.pk, []), bmc.pk in doubted, read_at) for bmc in rows}


def _row(bmc: Bmc, server_ids: list[int], is_doubted: bool, read_at: float) -> BmcRow:
    credential, fault = None, ""
    if bmc.profile is None:
        fault = ResultCode.NO_CREDENTIAL.value
    else:
        try:
            credential = bmc.profile.credential()
        except SecretUnreadable:
            fault = ResultCode.SECRET_UNREADABLE.value
    return BmcRow(
        bmc_id=bmc.pk,
        server_ids=tuple(server_ids),
        address=bmc.address,
        port=bmc.port,
        suites=bmc.suites,
        workarounds=workarounds_of(bmc.workarounds),
        networks=tuple(map(str, bmc.profile.networks)) if bmc.profile else (),
        credential=credential,
        fault=fault,
        guid=bmc.guid,
        own_key=bmc.profile.key if bmc.profile else "",
        serial=bmc.seen_serial,
        is_doubted=is_doubted,
        refused_key=bmc.refused_key,
        refused_count=bmc.refused_count,
        read_at=read_at,
        is_known=all((bmc.vendor, bmc.product, bmc.seen_serial)),
    )


def workarounds_of(words: object) -> frozenset[Workaround]:
    """Return the workarounds that the engine knows; other words mean nothing."""
    known = {workaround.value: workaround for workaround in Workaround}
    listed = words if isinstance(words, (list, tuple)) else ()
    return frozenset(known[word] for word in listed if isinstance(word, str) and word in known)


class Doorman:
    """Turns rows into access: resolves names, pins an address, checks both network lists (S5)."""

    def __init__(self, refusals: StoredRefusals) -> None:
        self.policy = DestinationPolicy(settings.BMC_NETWORKS)
        self._refusals = refusals
        self._policies: dict[tuple[str, ...], DestinationPolicy] = {}

    async def admit(self, row: BmcRow | None) -> Access:
        """:raises NoAccess: with the code of the result; nothing was sent."""
        if row is None:
            raise NoAccess(ResultCode.SERVER_REMOVED)
        if row.credential is None:
            raise NoAccess(row.fault)
        try:
            address = await self._pinned(row)
        except BmcError as error:
            raise NoAccess(error.code, error.params) from error
        suites: tuple[CipherSuite, ...] = tuple(row.suites)  # type: ignore[arg-type]
        endpoint = Endpoint(address, row.port, suites, row.workarounds)
        if row.bmc_id == NO_BMC:
            return Access(row.bmc_id, (), endpoint, row.credential, "", "")
        self._refusals.load(
            endpoint.key,
            bmc_id=row.bmc_id,
            key=row.refused_key,
            count=row.refused_count,
            read_at=row.read_at,
            own_key=row.own_key,
        )
        return Access(row.bmc_id, row.server_ids, endpoint, row.credential, row.guid, row.serial)

    async def _pinned(self, row: BmcRow) -> str:
        addresses = await _resolve(row.address, row.port)
        profile_policy = self._policies.get(row.networks)
        if profile_policy is None:
            try:
                parsed = tuple(ipaddress.ip_network(text) for text in row.networks)
            except ValueError:
                raise BmcForbiddenAddress(reason="profile_networks") from None
            profile_policy = self._policies[row.networks] = DestinationPolicy(parsed)
        for address in addresses:
            self.policy.check(address)
            profile_policy.check(address)
        return addresses[0]


async def _resolve(address: str, port: int) -> list[str]:
    """Return the addresses of a name, or the literal itself; never a guess at an odd literal.

    :raises BmcForbiddenAddress, BmcUnreachable:
    """
    try:
        ipaddress.ip_address(address)
    except ValueError:
        pass
    else:
        return [str(parse_address(address))]
    if not any(character.isalpha() for character in address):
        raise BmcForbiddenAddress(reason="not_an_address")  # such as 0177.1, or 2130706433
    loop = asyncio.get_running_loop()
    try:
        found = await asyncio.wait_for(
            loop.getaddrinfo(address, port, type=socket.SOCK_DGRAM), RESOLVE_SECONDS
        )
    except (OSError, TimeoutError, UnicodeError):
        raise BmcUnreachable(stage="resolve") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses:
        raise BmcUnreachable(stage="resolve")
    return addresses
