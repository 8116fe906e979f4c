"""Which addresses the portal may send BMC datagrams to (S5)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final, NamedTuple

from apps.bmc.errors import BmcForbiddenAddress

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

DEFAULT_NETWORKS: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)

_SPECIAL: Final[tuple[tuple[str, Network], ...]] = tuple(
    (word, ipaddress.ip_network(text))
    for word, text in (
        ("unspecified", "0.0.0.0/8"),
        ("loopback", "127.0.0.0/8"),
        ("link_local", "169.254.0.0/16"),
        ("metadata", "169.254.169.254/32"),
        ("multicast", "224.0.0.0/4"),
        ("broadcast", "255.255.255.255/32"),
        ("reserved", "240.0.0.0/4"),
        ("unspecified", "::/128"),
        ("loopback", "::1/128"),
        ("reserved", "::/8"),
        ("translated", "2002::/16"),
        ("link_local", "fe80::/10"),
        ("reserved", "fec0::/10"),
        ("multicast", "ff00::/8"),
        # The metadata address of a large cloud lies inside the default fc00::/7.
        ("metadata", "fd00:ec2::254/128"),
    )
)
_CACHE_LIMIT: Final = 20_000


class _Range(NamedTuple):
    """A network as numbers: a scan or a cold start decides about thousands of addresses."""

    low: int
    high: int

    @classmethod
    def of(cls, network: Network) -> _Range:
        return cls(int(network.network_address), int(network.broadcast_address))

    def holds(self, number: int) -> bool:
        return self.low <= number <= self.high

    def contains(self, other: _Range) -> bool:
        return self.low <= other.low and other.high <= self.high


_SPECIAL_RANGES: Final = {
    version: tuple((word, _Range.of(n)) for word, n in _SPECIAL if n.version == version)
    for version in (4, 6)
}


def parse_address(text: str) -> Address:
    """Read an IP literal strictly: no octal, no short forms, no zone, no IPv4 inside IPv6.

    :raises BmcForbiddenAddress: with `reason` = not_an_address or mapped.
    """
    try:
        address = ipaddress.ip_address(str(text))
    except ValueError:
        raise BmcForbiddenAddress(reason="not_an_address") from None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise BmcForbiddenAddress(reason="not_an_address")
        if address.ipv4_mapped is not None:
            raise BmcForbiddenAddress(reason="mapped")
    return address


class DestinationPolicy:
    """The allowed networks. An empty list allows nothing.

    Loopback, link-local, multicast, unspecified, broadcast, reserved and metadata addresses are
    allowed only by a network that lies inside that very range: `0.0.0.0/0` opens none of them.
    """

    __slots__ = ("_decisions", "_networks", "_ranges")

    def __init__(self, networks: Sequence[Network] = DEFAULT_NETWORKS) -> None:
        self._networks = tuple(networks)
        self._ranges = {
            version: tuple(_Range.of(n) for n in networks if n.version == version)
            for version in (4, 6)
        }
        self._decisions: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<DestinationPolicy [{', '.join(map(str, self._networks))}]>"

    def check(self, address: str) -> None:
        """Return if datagrams may go there.

        :raises BmcForbiddenAddress: with `reason`, one of a few fixed words.
        """
        reason = self._decisions.get(address)
        if reason is None:
            if len(self._decisions) >= _CACHE_LIMIT:
                self._decisions.clear()
            reason = self._decisions[address] = self._decide(address)
        if reason:
            raise BmcForbiddenAddress(reason=reason)

    def _decide(self, text: str) -> str:
        try:
            address = parse_address(text)
        except BmcForbiddenAddress as error:
            return str(error.params["reason"])
        number, version = int(address), address.version
        matching = [range_ for range_ in self._ranges[version] if range_.holds(number)]
        if not matching:
            return "outside_networks"
        for word, special in _SPECIAL_RANGES[version]:
            if special.holds(number) and not any(special.contains(r) for r in matching):
                return word
        return ""
