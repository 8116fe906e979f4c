from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from apps.bmc import Secret
from apps.core.secrets import SecretUnreadable, keys_parse, secret_open, secret_seal

ROW = "inventory.credentialprofile.password.1"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=64))
def test_what_goes_in_comes_out(text: str) -> None:
    sealed = secret_seal(Secret(text), bound_to=ROW)
    assert secret_open(sealed, bound_to=ROW) == Secret(text)
    assert len(text) < 4 or text not in sealed


def test_another_row_cannot_open_it() -> None:
    sealed = secret_seal(Secret("hunter2"), bound_to=ROW)
    with pytest.raises(SecretUnreadable):
        secret_open(sealed, bound_to=ROW + "1")


@pytest.mark.parametrize(
    "damage", ["", "v1", "v1.test", "v1.test.!", "v2.test.AAAA", "v1.test.AAAA"]
)
def test_damage_raises_and_is_never_returned_as_the_value(damage: str) -> None:
    with pytest.raises(SecretUnreadable):
        secret_open(damage, bound_to=ROW)


def test_a_flipped_bit_raises() -> None:
    head, _, body = secret_seal(Secret("hunter2"), bound_to=ROW).rpartition(".")
    raw = bytearray(base64.b64decode(body))
    raw[-1] ^= 1
    with pytest.raises(SecretUnreadable):
        secret_open(f"{head}.{base64.b64encode(raw).decode()}", bound_to=ROW)


def test_an_old_key_still_opens_after_a_new_one_came_first(settings: Settings) -> None:
    old = dict(settings.CREDENTIAL_KEYS)
    sealed = secret_seal(Secret("hunter2"), bound_to=ROW)
    settings.CREDENTIAL_KEYS = {"new": b"n" * 32, **old}
    assert secret_open(sealed, bound_to=ROW) == Secret("hunter2")
    assert secret_seal(Secret("x"), bound_to=ROW).startswith("v1.new.")
    settings.CREDENTIAL_KEYS = {"new": b"n" * 32}
    with pytest.raises(SecretUnreadable, match="no key 'test'"):
        secret_open(sealed, bound_to=ROW)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "a:",
        "a:AAAA",
        "a b:" + "A" * 44,
        ("k:" + base64.b64encode(b"k" * 32).decode() + ",") * 2,
    ],
)
def test_wrong_keys_say_what_is_expected(text: str) -> None:
    with pytest.raises(ValueError, match="id:base64 pairs"):
        keys_parse(text)
