from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.utils.translation import override

from apps.bmc import errors
from apps.core.faults import CODES, COMPLETION_WORDS, completion_words, fault_of
from apps.jobs.choices import ResultCode
from apps.power.choices import RESULT_WORDS


def tree(root: type[errors.BmcError]) -> Iterator[type[errors.BmcError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child)


BMC_CODES = sorted(error.code for error in tree(errors.BmcError))


def test_every_error_of_the_protocol_layer_has_words() -> None:
    assert set(BMC_CODES) <= CODES


def test_every_result_has_words() -> None:
    results = {code.value for code in ResultCode if code} | set(RESULT_WORDS)
    assert results <= CODES | set(RESULT_WORDS)
    assert {"never_read", "no_credential", "secret_unreadable", "wrong_identity"} <= CODES


@pytest.mark.parametrize("code", sorted(CODES))
def test_words_are_sentences_without_anything_left_open(code: str) -> None:
    fault = fault_of(code, {"retry_seconds": 7, "completion_code": 0xD5})
    for part in filter(None, (fault.title, fault.cause, fault.next_step)):
        assert part.endswith((".", "。"))
        assert "%(" not in part
        assert not any(word in part.lower() for word in ("please", "oops", "success", "!"))


@pytest.mark.parametrize("code", sorted(CODES))
def test_missing_parameters_break_nothing(code: str) -> None:
    assert str(fault_of(code, None))


def test_a_code_without_words_is_named_and_not_hidden() -> None:
    fault = fault_of("brand_new_trouble")
    assert "brand_new_trouble" in fault.title
    assert fault.next_step


def test_a_refusal_says_why_and_with_which_code() -> None:
    title = fault_of("refused", {"completion_code": 0xD5}).title
    assert "it does not support this in its present state" in title
    assert "0xD5" in title


@pytest.mark.parametrize("value", [None, "zz", -1, 4096, "<b>"])
def test_an_odd_completion_code_is_no_reason(value: object) -> None:
    params = {} if value is None else {"completion_code": value}
    assert completion_words(0xFF) in fault_of("refused", params).title


def test_every_completion_code_has_its_words() -> None:
    assert {completion_words(code) for code in COMPLETION_WORDS} == {
        str(words) for words in COMPLETION_WORDS.values()
    }


def test_words_of_a_parameter_are_bounded() -> None:
    assert len(fault_of("x" * 10_000).title) < 300


def test_words_are_translated_when_they_are_shown() -> None:
    fault = fault_of("unreachable")
    with override("zh-hans"):
        translated = fault.title
    assert fault.title == "BMC does not answer."
    assert translated in ("BMC 无应答。", "BMC does not answer.")  # the latter if not compiled here
