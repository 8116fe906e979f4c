"""Which addresses may be sent to (S5)."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.bmc import BmcForbiddenAddress
from apps.bmc.policy import DestinationPolicy, parse_address

EVERYTHING = DestinationPolicy([ip_network("0.0.0.0/0"), ip_network("::/0")])


@pytest.mark.parametrize("address", ["10.1.2.3", "172.31.0.1", "192.168.1.1", "fd12::1"])
def test_private_networks_are_allowed_by_default(address: str) -> None:
    DestinationPolicy().check(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "172.32.0.1", "2001:db8::1", "127.0.0.1", "::1"])
def test_everything_else_is_not(address: str) -> None:
    with pytest.raises(BmcForbiddenAddress):
        DestinationPolicy().check(address)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "loopback"),
        ("0.0.0.0", "unspecified"),  # noqa: S104
        ("0.1.2.3", "unspecified"),
        ("169.254.1.1", "link_local"),
        ("169.254.169.254", "link_local"),
        ("224.0.0.251", "multicast"),
        ("255.255.255.255", "broadcast"),
        ("250.1.1.1", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::7f00:1", "reserved"),
        ("64:ff9b::7f00:1", "reserved"),
        ("2002:7f00:1::", "translated"),
        ("fe80::1", "link_local"),
        ("fec0::1", "reserved"),
        ("ff02::1", "multicast"),
        ("fd00:ec2::254", "metadata"),
    ],
)
def test_special_ranges_are_not_opened_by_a_wide_network(address: str, reason: str) -> None:
    for _ in range(2):  # the second answer comes from the cache
        with pytest.raises(BmcForbiddenAddress) as caught:
            EVERYTHING.check(address)
        assert caught.value.params == {"reason": reason}


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("127.0.0.0/8", "127.31.0.1"),
        ("127.1.0.0/16", "127.1.2.3"),
        ("::1/128", "::1"),
        ("169.254.0.0/16", "169.254.3.4"),
        ("fe80::/10", "fe80::1"),
        ("169.254.169.254/32", "169.254.169.254"),
    ],
)
def test_a_network_inside_the_special_range_opens_it(network: str, address: str) -> None:
    DestinationPolicy([ip_network(network)]).check(address)


def test_link_local_does_not_open_the_metadata_address() -> None:
    policy = DestinationPolicy([ip_network("169.254.0.0/16")])
    with pytest.raises(BmcForbiddenAddress) as caught:
        policy.check("169.254.169.254")
    assert caught.value.params == {"reason": "metadata"}


def test_an_empty_list_allows_nothing() -> None:
    with pytest.raises(BmcForbiddenAddress) as caught:
        DestinationPolicy([]).check("10.0.0.1")
    assert caught.value.params == {"reason": "outside_networks"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0177.0.0.1", "not_an_address"),
        ("127.0.0.01", "not_an_address"),
        ("0x7f.1", "not_an_address"),
        ("2130706433", "not_an_address"),
        ("127.1", "not_an_address"),
        ("localhost", "not_an_address"),
        ("", "not_an_address"),
        (" 10.0.0.1", "not_an_address"),
        ("10.0.0.1\n", "not_an_address"),
        ("10.0.0.1/32", "not_an_address"),
        ("１０.0.0.1", "not_an_address"),
        ("fe80::1%eth0", "not_an_address"),
        ("[::1]", "not_an_address"),
        ("::ffff:10.0.0.1", "mapped"),
        ("::ffff:a00:1", "mapped"),
    ],
)
def test_addresses_are_read_strictly(text: str, reason: str) -> None:
    with pytest.raises(BmcForbiddenAddress) as caught:
        EVERYTHING.check(text)
    assert caught.value.params == {"reason": reason}


@given(st.text(max_size=50))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        EVERYTHING.check(text)
    except BmcForbiddenAddress as error:
        reason = str(error.params["reason"])
    else:
        reason = type(parse_address(text)).__name__
    assert reason.isidentifier()


def test_the_cache_is_bounded() -> None:
    policy = DestinationPolicy([ip_network("10.0.0.0/8")])
    for number in range(20_010):
        policy.check(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(policy._decisions) <= 20_000
