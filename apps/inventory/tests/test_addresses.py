from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from apps.bmc import BmcForbiddenAddress
from apps.inventory.addresses import (
    NameNotResolved,
    address_clean,
    addresses_check,
    networks_clean,
)


@pytest.fixture(autouse=True)
def _networks(settings: Settings) -> None:
    settings.BMC_NETWORKS = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fc00::/7"))


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A name server of our own: no test asks the network's."""
    known: dict[str, list[str]] = {}

    def getaddrinfo(name: str, *_: Any, **__: Any) -> list[tuple[Any, ...]]:
        if name not in known:
            raise socket.gaierror(-2, "Name or service not known")
        return [(0, 0, 0, "", (address, 0)) for address in known[name]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.mark.parametrize(
    ("typed", "stored"),
    [("10.0.0.5", "10.0.0.5"), (" 10.0.0.5 ", "10.0.0.5"), ("FD00:0::17", "fd00::17")],
)
def test_an_address_has_one_spelling(typed: str, stored: str) -> None:
    assert address_clean(typed) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "127.0.0.1", "169.254.169.254", "224.0.0.1", "0.0.0.0", "255.255.255.255", "8.8.8.8",
        "::1", "fe80::1", "::", "ff02::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_an_address_outside_the_allowed_networks_is_refused(typed: str) -> None:
    with pytest.raises(ValidationError, match="Outside the allowed BMC networks"):
        address_clean(typed)


@pytest.mark.parametrize(
    "typed",
    [
        "010.0.0.5", "0x0a000005", "167772165", "10.5", "::ffff:10.0.0.5",
        "fe80::1%eth0", "10.0.0.5/32", "10.0.0.256", "", "-a.example", "a b", "<b>x</b>",
        "http://10.0.0.5", "10.0.0.5:623", "a" * 64, "x." * 140, "bmc\x00.example",
        "bmc\u202e.example",
    ],
)  # fmt: skip
def test_what_is_no_address_in_its_usual_form_is_refused(
    typed: str, names: dict[str, list[str]]
) -> None:
    with pytest.raises(ValidationError):
        address_clean(typed)


def test_a_name_is_kept_as_a_name(names: dict[str, list[str]]) -> None:
    names["bmc-1.example"] = ["10.0.0.5"]
    assert address_clean("BMC-1.example.") == "bmc-1.example"


def test_a_name_with_one_forbidden_address_is_refused(names: dict[str, list[str]]) -> None:
    names["bmc-1.example"] = ["10.0.0.5", "127.0.0.1"]
    with pytest.raises(ValidationError, match="Outside"):
        address_clean("bmc-1.example")


def test_a_name_nobody_knows_says_so(names: dict[str, list[str]]) -> None:
    with pytest.raises(ValidationError, match="No address was found"):
        address_clean("bmc-2.example")
    with pytest.raises(NameNotResolved):
        addresses_check("bmc-2.example")


def test_every_address_must_lie_in_the_profile_s_networks_too() -> None:
    narrow = [ipaddress.ip_network("10.0.0.0/24")]
    assert addresses_check("10.0.0.5", narrow) == ["10.0.0.5"]
    with pytest.raises(BmcForbiddenAddress):
        addresses_check("10.0.1.5", narrow)


def test_no_networks_allow_nothing(settings: Settings) -> None:
    settings.BMC_NETWORKS = ()
    with pytest.raises(ValidationError, match="none"):
        address_clean("10.0.0.5")


def test_networks_are_written_in_one_way_and_once() -> None:
    assert networks_clean(["10.0.0.0/24", "", " 10.0.0.0/24 ", "FD00::/8"]) == [
        "10.0.0.0/24",
        "fd00::/8",
    ]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([], "at least one network"),
        (["10.0.0.1/24"], "is not a network"),
        (["<script>"], "is not a network"),
        ([f"10.0.{n}.0/24" for n in range(101)], "At most 100"),
    ],
)
def test_wrong_networks_say_what_is_wrong(lines: list[str], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        networks_clean(lines)
