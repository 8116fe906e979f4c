"""Words of the protocol layer."""

from __future__ import annotations

import pickle

import pytest

from apps.bmc import BmcBusy, BmcError, Credential, Secret


def test_a_secret_never_shows_itself() -> None:
    credential = Credential("admin", Secret("secret123"), kg=Secret("the key"))
    for text in (repr(credential), str(credential.password), f"{credential.password}"):
        assert "secret123" not in text
        assert "the key" not in text
    with pytest.raises(TypeError):
        pickle.dumps(credential)


def test_secrets_are_compared_by_content_with_secrets_only() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert not Secret("")


def test_errors_have_codes_and_parameters_and_no_prose() -> None:
    assert str(BmcBusy(completion_code=0xC0)) == "busy completion_code=192"
    assert BmcBusy.retryable
    assert not BmcError.retryable


def test_every_error_has_a_code_of_its_own() -> None:
    def tree(kind: type[BmcError]) -> list[type[BmcError]]:
        return [kind, *(found for child in kind.__subclasses__() for found in tree(child))]

    codes = [kind.code for kind in tree(BmcError)]
    assert len(codes) == len(set(codes))
