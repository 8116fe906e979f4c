"""Where a BMC may be: names, addresses and networks, checked before anything is stored or sent."""

from __future__ import annotations

import concurrent.futures
import ipaddress
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from apps.bmc import BmcForbiddenAddress
from apps.bmc.policy import DestinationPolicy, Network, parse_address

RESOLVE_SECONDS: Final = 3.0
_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\Z")
_known: Final[ContextVar[dict[str, list[str]] | None]] = ContextVar("resolved", default=None)
_resolvers: Final = concurrent.futures.ThreadPoolExecutor(8, thread_name_prefix="resolve")


class NameNotResolved(Exception):
    """The host name has no address, or the name server does not answer in time."""


def is_literal(text: str) -> bool:
    """Say whether this is meant as an IP address: digits, dots, colons or hexadecimal forms."""
    return ":" in text or all(
        re.fullmatch(r"0[xX][0-9a-fA-F]+|\d+", part) for part in text.split(".")
    )


def is_host_name(text: str) -> bool:
    return len(text) <= 253 and all(_LABEL.match(label) for label in text.split("."))


def resolve(text: str) -> list[str]:
    """Return every address of a literal or a name, as literals.

    :raises BmcForbiddenAddress: a literal in a form that is not accepted.
    :raises NameNotResolved: after `RESOLVE_SECONDS` at most.
    """
    if is_literal(text):
        return [str(parse_address(text))]
    known = _known.get()
    if known is not None and text in known:
        return known[text]
    asking = _resolvers.submit(socket.getaddrinfo, text, None, type=socket.SOCK_DGRAM)
    try:
        found = asking.result(RESOLVE_SECONDS)
    except (OSError, UnicodeError, concurrent.futures.TimeoutError) as error:
        asking.cancel()
        raise NameNotResolved(text) from error
    addresses = sorted({str(info[4][0]) for info in found})
    if known is not None:
        known[text] = addresses
    return addresses


@contextmanager
def resolved_once() -> Iterator[None]:
    """Ask the name server once for a name that is looked at several times in here.

    What is checked before a transaction is then not asked for again inside of it. Where datagrams
    may go is checked when they are sent, whatever was found here.
    """
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def addresses_check(text: str, networks: Sequence[Network] | None = None) -> list[str]:
    """Return the addresses, each of which lies inside `BMC_NETWORKS` and inside `networks`.

    :raises BmcForbiddenAddress, NameNotResolved:
    """
    found = resolve(text)
    policies = [DestinationPolicy(settings.BMC_NETWORKS)]
    if networks is not None:
        policies.append(DestinationPolicy(networks))
    for address in found:
        for policy in policies:
            policy.check(address)
    return found


def address_clean(text: str) -> str:
    """Validate what a person typed as a BMC's address; return it in its one spelling.

    :raises ValidationError: a sentence that says what to do.
    """
    text = text.strip().lower().rstrip(".")
    if not is_literal(text) and not is_host_name(text):
        raise ValidationError(_("Not an IP address or host name. Write it like 10.0.4.17."))
    try:
        found = addresses_check(text)
    except NameNotResolved:
        raise ValidationError(
            _("No address was found for this name. Check the name, or use the IP address.")
        ) from None
    except BmcForbiddenAddress as error:
        raise ValidationError(_forbidden(str(error.params.get("reason", "")))) from None
    return found[0] if is_literal(text) else text


def _forbidden(reason: str) -> str:
    if reason == "not_an_address":
        return _("Not an IP address in its usual form. Write it like 10.0.4.17 or fd00::17.")
    if reason == "mapped":
        return _("An IPv4 address inside an IPv6 address. Write the IPv4 address alone.")
    return _(
        "Outside the allowed BMC networks (%(networks)s). "
        "Correct it, or ask an admin to add the network."
    ) % {"networks": networks_text(settings.BMC_NETWORKS) or _("none")}


def networks_text(networks: Iterable[Network]) -> str:
    return ", ".join(map(str, networks))


def networks_clean(lines: Iterable[str]) -> list[str]:
    """Validate networks in CIDR form; return their one spelling, in order, each once.

    :raises ValidationError: naming the line, or that there is none.
    """
    found: dict[str, None] = {}
    for line in filter(None, (part.strip() for part in lines)):
        try:
            found[str(ipaddress.ip_network(line))] = None
        except ValueError:
            raise ValidationError(
                _("“%(line)s” is not a network. Write it like 10.0.4.0/24."),
                params={"line": line[:60]},
            ) from None
    if not found:
        raise ValidationError(_("Name at least one network: the secret is sent nowhere else."))
    if len(found) > 100:
        raise ValidationError(_("At most 100 networks. Join neighbours into larger ones."))
    return list(found)


def networks_parse(stored: Iterable[str]) -> list[Network]:
    return [ipaddress.ip_network(text) for text in stored]
