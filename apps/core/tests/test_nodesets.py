from __future__ import annotations

import time

import pytest
from django.db.models import Q

from apps.core.nodesets import (
    MOST_NAMES,
    NodeSetError,
    Step,
    looks_like_nodeset,
    names_fold,
    nodeset_parse,
    pattern_regex,
)

SOURCES = ("rack", "tag")


def names(text: str) -> list[str]:
    """Evaluate a set of plain names in Python, as the database would among these very names."""
    expression = nodeset_parse(text, SOURCES)
    kept: set[str] = set()
    for step in expression.steps:
        those = set(step.names)
        kept = {
            ",": kept | those, "!": kept - those, "&": kept & those, "^": kept ^ those,
        }[step.operator.value]  # fmt: skip
    return sorted(kept)


def place_of(text: str) -> int:
    with pytest.raises(NodeSetError) as refused:
        nodeset_parse(text, SOURCES)
    assert str(refused.value)
    return refused.value.place


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web-1", ["web-1"]),
        ("web-[1-3]", ["web-1", "web-2", "web-3"]),
        ("web-eu-[001-003]!web-eu-002", ["web-eu-001", "web-eu-003"]),
        ("n[08-11]", ["n08", "n09", "n10", "n11"]),
        ("n[0-10/5]", ["n0", "n10", "n5"]),
        ("n[1,3,7-8]", ["n1", "n3", "n7", "n8"]),
        ("r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
        ("a,b,c!b", ["a", "c"]),
        ("a,b&b,c", ["b", "c"]),
        ("a,b^b,c", ["a", "c"]),
        (" a , b ! a ", ["b"]),
        ("a,a,a", ["a"]),
        ("n[1-3].example.net", ["n1.example.net", "n2.example.net", "n3.example.net"]),
    ],
)
def test_a_set_is_read_from_left_to_right(text: str, expected: list[str]) -> None:
    assert names(text) == expected


def test_groups_name_their_kind_and_may_have_ranges_and_spaces() -> None:
    expression = nodeset_parse("@rack:A[01-02] & @tag:in stock ! @*", SOURCES)
    assert [(s.source, s.names, s.is_all) for s in expression.steps] == [
        ("rack", ("A01", "A02"), False), ("tag", ("in stock",), False), ("", (), True),
    ]  # fmt: skip
    assert expression.group_count == 3
    assert expression.names == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", 1), (" ", 1), (",", 1), ("!a", 1), ("a,,b", 2), ("a,", 2), ("a & ", 3),
        ("web-[1-", 5), ("web-1]", 6), ("[[1]]", 2), ("a[]", 3), ("a[x]", 3), ("a[1,x]", 5),
        ("a[5-1]", 3), ("a[1-3/0]", 3), ("a[1-]", 3), ("a[-1]", 3), ("a[01-100]", 3),
        ("@web", 1), ("@hall:2", 1), ("@rack:", 7), ("a,@rack: ", 9), ("me@example", 3),
        ("a*b*c*d", 1), ("a^b^c^d^e^f^g", 13),
    ],
)  # fmt: skip
def test_an_error_names_its_place(text: str, place: int) -> None:
    assert place_of(text) == place


@pytest.mark.parametrize(
    "text",
    [
        "a[1-999999999]", "a[1-999999999999]", "a[1-9999999999999999999999]",
        "[1-9999][1-9999][1-9999][1-9999][1-9999][1-9999][1-9999]", "a[1-100]b[1-101]",
        ",".join(f"n[{i}001-{i}999]" for i in range(1, 12)), "[" * 900, "[1-9]" * 200,
        "a" * 1001, "a[" + "1," * 490, "@*!@*" * 45, "!".join(f"@*&{c}" for c in "ab" * 99),
        "*" * 900 + "a*b*c",
        "@rack:[1-51]", "web-*[1-51]", "٣[١-٩]", "a[1-9\x00]", "^".join("ab" * 100),
    ],
)  # fmt: skip
def test_what_would_be_too_large_is_refused_at_once(text: str) -> None:
    started = time.process_time()
    with pytest.raises(NodeSetError):
        nodeset_parse(text, SOURCES)
    assert time.process_time() - started < 0.5


def test_the_largest_set_is_still_read() -> None:
    assert len(nodeset_parse(f"n[1-{MOST_NAMES}]", SOURCES).names) == MOST_NAMES


def test_names_in_a_row_are_one_step() -> None:
    expression = nodeset_parse(",".join(f"n{i}" for i in range(200)), SOURCES)
    assert len(expression.steps) == 1
    assert len(nodeset_parse("a,b!c!d,e", SOURCES).steps) == 3


def test_conditions_follow_the_steps_and_everything_is_no_empty_condition() -> None:
    def resolve(step: Step) -> Q:
        return Q(pk__isnull=False) if step.is_all else Q(name__in=step.names)

    everything, a = Q(pk__isnull=False), Q(name__in=("a",))
    expression = nodeset_parse("@*!a", SOURCES)
    assert list(expression.conditions(resolve)) == [everything, everything & ~a]
    assert expression.condition(resolve) == everything & ~a


@pytest.mark.parametrize(
    ("text", "is_set"),
    [
        ("web-eu-001", False), ("10.2.0.1", False), ("Dell R660", False), ("web-*", False),
        ("web-[1-2]", True), ("a,b", True), ("@rack:A01", True), ("a!b", True), ("a&b", True),
        ("a^b", True), ("]", True),
    ],
)  # fmt: skip
def test_signs_tell_a_set_from_words(text: str, is_set: bool) -> None:
    assert looks_like_nodeset(text) is is_set


def test_names_are_folded_and_odd_ones_stay_as_they_are() -> None:
    assert names_fold(["web-01", "web-02", "web-03", "db-7"]) in (
        "web-[01-03],db-7",
        "db-7,web-[01-03]",
    )
    assert names_fold(["a b", "x[1]"]) == "a b,x[1]"
    assert names_fold([]) == ""


def test_folding_very_many_names_is_quick_and_says_that_there_are_more() -> None:
    wanted = [f"r{i % 7}n{i % 11}s{i}" for i in range(5000)]
    started = time.process_time()
    assert names_fold(wanted).endswith(",…")
    assert time.process_time() - started < 2


def test_a_pattern_is_one_regular_expression_for_all_databases() -> None:
    assert pattern_regex("web-*.e?") == r"\Aweb\-.*\.e.\Z"
    assert pattern_regex("a**") == r"\Aa.*\Z"
