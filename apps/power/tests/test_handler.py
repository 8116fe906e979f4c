from __future__ import annotations

from typing import Any

import pytest

from apps.bmc import PowerAction as A
from apps.bmc import PowerState
from apps.inventory.choices import Transition
from apps.jobs.choices import ResultCode
from apps.jobs.choices import TargetState as S
from apps.jobs.handlers import Again, Case, End, Go, Reading
from apps.power.choices import (
    ACTION_ROLE,
    ACTION_TRANSITION,
    ACTION_WORDS,
    RESULT_WORDS,
)
from apps.power.choices import (
    PowerResult as R,
)
from apps.power.handler import PowerHandler

ON, OFF = Reading(PowerState.ON, {"by_command": False}), Reading(PowerState.OFF)
handler = PowerHandler()


def params(action: A) -> dict[str, str]:
    return {"action": action.value}


@pytest.mark.parametrize(
    ("action", "reading", "code"),
    [
        (A.ON, ON, R.ALREADY_ON),
        (A.OFF, OFF, R.ALREADY_OFF),
        (A.SOFT_OFF, OFF, R.ALREADY_OFF),
    ],
)
def test_what_is_there_already_is_skipped(action: A, reading: Reading, code: str) -> None:
    assert handler.precheck(params(action), reading) == End(S.SKIPPED, code)


@pytest.mark.parametrize("action", [A.CYCLE, A.RESET, A.NMI])
def test_nothing_to_restart_on_a_server_that_is_off(action: A) -> None:
    assert handler.precheck(params(action), OFF) == End(S.FAILED, R.SERVER_OFF)


@pytest.mark.parametrize(
    ("action", "reading"),
    [(A.ON, OFF), *((action, ON) for action in A if action is not A.ON)],
)
def test_what_is_needed_goes(action: A, reading: Reading) -> None:
    assert handler.precheck(params(action), reading) == Go()


def judge(action: A, reading: Reading | None, **known: Any) -> Again | End:
    facts: dict[str, Any] = {
        "evidence": {"before": {"power": "on", "by_command": False}},
        "was_answered": False,
        "was_wanted": False,
        "is_overdue": False,
        "sent_seconds": 1.0,
    }
    return handler.judge(Case(params=params(action), reading=reading, **(facts | known)))


ANSWERED = {"was_answered": True}
LATE = {"is_overdue": True}
OFF_SEEN = {"evidence": {"off_seen": True}}


@pytest.mark.parametrize(
    ("action", "reading", "known", "expected"),
    [
        # Answer 00: one read of the wanted state is enough.
        (A.OFF, OFF, ANSWERED, End(S.SUCCEEDED, R.VERIFIED)),
        (A.SOFT_OFF, OFF, ANSWERED, End(S.SUCCEEDED, R.VERIFIED)),
        (A.ON, ON, ANSWERED, End(S.SUCCEEDED, R.VERIFIED)),
        # No answer: two.
        (A.OFF, OFF, {}, Again(5.5, is_wanted=True)),
        (A.OFF, OFF, {"was_wanted": True}, End(S.SUCCEEDED, R.VERIFIED)),
        (A.OFF, OFF, LATE, Again(5.5, is_wanted=True)),
        (A.OFF, ON, {"was_wanted": True}, Again(1.0)),
        # Not yet.
        (A.OFF, ON, ANSWERED, Again(1.0)),
        (A.OFF, None, ANSWERED, Again(1.0)),
        (A.SOFT_OFF, ON, ANSWERED | {"sent_seconds": 60.0}, Again(2.0)),
        (A.SOFT_OFF, ON, ANSWERED | {"sent_seconds": 300.0}, Again(5.0)),
        # Too late.
        (A.OFF, ON, ANSWERED | LATE, End(S.FAILED, R.NOT_REACHED)),
        (A.ON, OFF, LATE, End(S.FAILED, R.NOT_REACHED)),
        (A.SOFT_OFF, ON, ANSWERED | LATE, End(S.FAILED, R.STILL_ON)),
        (A.SOFT_OFF, None, LATE, End(S.UNKNOWN, R.NO_EVIDENCE)),
        (A.OFF, None, ANSWERED | LATE, End(S.UNKNOWN, R.NOT_READABLE)),
        # cycle, reset: a state alone proves nothing.
        (A.RESET, ON, ANSWERED, Again(1.0)),
        (A.RESET, ON, ANSWERED | {"sent_seconds": 31.0}, End(S.ACCEPTED, R.NOT_READABLE)),
        (A.RESET, ON, {"sent_seconds": 31.0}, Again(2.0)),
        (A.RESET, None, ANSWERED | {"sent_seconds": 31.0}, Again(2.0)),
        (A.CYCLE, ON, ANSWERED | {"sent_seconds": 31.0}, Again(2.0)),
        (A.CYCLE, ON, ANSWERED | LATE, End(S.ACCEPTED, R.NOT_READABLE)),
        (A.CYCLE, None, ANSWERED | LATE, End(S.ACCEPTED, R.NOT_READABLE)),
        (A.RESET, ON, LATE, End(S.UNKNOWN, R.NO_EVIDENCE)),
        (A.NMI, None, LATE, End(S.UNKNOWN, R.NO_EVIDENCE)),
        # An off phase is evidence.
        (A.CYCLE, OFF, ANSWERED, Again(1.0, marks={"off_seen": True})),
        (A.CYCLE, ON, ANSWERED | OFF_SEEN, End(S.SUCCEEDED, R.RESTART_SEEN)),
        (A.RESET, ON, OFF_SEEN, End(S.SUCCEEDED, R.RESTART_SEEN)),
        (A.CYCLE, OFF, ANSWERED | OFF_SEEN | LATE, End(S.FAILED, R.NOT_REACHED)),
        (A.CYCLE, OFF, LATE, End(S.FAILED, R.NOT_REACHED)),
        (A.CYCLE, None, OFF_SEEN | LATE, End(S.UNKNOWN, R.NO_EVIDENCE)),
    ],
)
def test_verdicts(
    action: A, reading: Reading | None, known: dict[str, Any], expected: Again | End
) -> None:
    assert judge(action, reading, **known) == expected


def test_a_new_restart_cause_is_evidence_only_if_it_was_not_there_before() -> None:
    now = Reading(PowerState.ON, {"by_command": True})
    seen = End(S.SUCCEEDED, R.RESTART_SEEN)
    assert judge(A.CYCLE, now, **ANSWERED) == seen
    before = {"evidence": {"before": {"by_command": True}}}
    assert judge(A.CYCLE, now, **ANSWERED, **before) == Again(1.0)
    assert judge(A.CYCLE, now, **ANSWERED, evidence={}) == Again(1.0)


@pytest.mark.parametrize("reading", [ON, OFF, None])
@pytest.mark.parametrize("action", [A.CYCLE, A.RESET, A.NMI, A.SOFT_OFF, A.ON, A.OFF])
def test_without_answer_and_evidence_it_is_never_called_done(
    action: A, reading: Reading | None
) -> None:
    for known in ({}, LATE):
        verdict = judge(action, reading, **known)
        assert not (isinstance(verdict, End) and verdict.state in (S.SUCCEEDED, S.ACCEPTED))


def test_an_answered_nmi_is_accepted_at_once_and_nothing_else_is() -> None:
    assert handler.answered(params(A.NMI)) == End(S.ACCEPTED, R.NOT_READABLE)
    assert all(isinstance(handler.answered(params(a)), Again) for a in A if a is not A.NMI)


def test_deadlines_are_those_of_the_promises() -> None:
    seconds = {action: handler.verify_seconds(params(action)) for action in A}
    assert seconds.pop(A.SOFT_OFF) == 600
    assert set(seconds.values()) == {120}


def test_only_on_and_off_may_be_sent_again() -> None:
    assert {action for action in A if handler.may_repeat(params(action))} == {A.ON, A.OFF}


def test_every_action_has_its_words_role_and_transition() -> None:
    assert set(ACTION_ROLE) == set(ACTION_WORDS) == set(ACTION_TRANSITION) == set(A)
    assert handler.transition(params(A.SOFT_OFF)) == Transition.SHUTTING_DOWN
    assert handler.transition(params(A.ON)) == Transition.STARTING
    assert handler.transition(params(A.CYCLE)) == Transition.RESETTING


def test_every_result_code_has_a_sentence() -> None:
    codes = {value for name, value in vars(R).items() if name.isupper()}
    codes |= {code.value for code in ResultCode if code}
    assert codes == set(RESULT_WORDS)


@pytest.mark.parametrize("wrong", [{}, {"action": "explode"}, {"action": None}])
def test_other_actions_make_no_job(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="PowerAction"):
        handler.check_params(wrong)
