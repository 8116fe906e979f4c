"""The identify light: asked for without a question, also on a protected server."""

from __future__ import annotations

from time import monotonic
from typing import ClassVar, Final

from apps.bmc import BmcSession, Receipt
from apps.inventory.choices import Transition
from apps.jobs.choices import TargetState
from apps.jobs.handlers import Again, Case, End, Go, Handler, Params, Reading
from apps.power.choices import IDENTIFY_KIND, MOST_IDENTIFY_SECONDS, PowerResult

VERIFY_SECONDS: Final = 10.0
FIRST_READ_SECONDS: Final = 0.2
"""A light for one second must be seen in that second."""
PACE_SECONDS: Final = 1.0
CONFIRM_SECONDS: Final = 5.5


class IdentifyHandler(Handler):
    """Repeating it harms nothing: it may be sent again, and a lost answer is no drama."""

    kind: ClassVar[str] = IDENTIFY_KIND
    is_harmless: ClassVar[bool] = True

    def check_params(self, params: Params) -> None:
        _seconds(params)

    def command(self, params: Params) -> str:
        return f"identify {_seconds(params)} s"

    def transition(self, params: Params) -> Transition:
        return Transition.NONE

    def may_repeat(self, params: Params) -> bool:
        return True

    def verify_seconds(self, params: Params) -> float:
        return VERIFY_SECONDS

    # ---------------------------------------------------------------- with the BMC

    async def read(self, bmc: BmcSession) -> Reading:
        status = await bmc.chassis_status()
        return Reading(status.power, {"light": status.identify_on})

    async def send(self, bmc: BmcSession, params: Params, *, not_after: float) -> Receipt:
        sent = monotonic()
        await bmc.identify(_seconds(params))
        return Receipt(sent, monotonic())

    # ---------------------------------------------------------------- decisions

    def precheck(self, params: Params, reading: Reading) -> Go | End:
        if _seconds(params) == 0 and reading.marks.get("light") is False:
            return End(TargetState.SKIPPED, PowerResult.LIGHT_OFF)
        return Go()  # a light that is on is prolonged

    def answered(self, params: Params) -> Again | End:
        return Again(FIRST_READ_SECONDS)

    def judge(self, case: Case) -> Again | End:
        seconds = _seconds(case.params)
        light = case.reading.marks.get("light") if case.reading else None
        is_wanted = light is not None and light is (seconds > 0)
        if is_wanted and (case.was_answered or case.was_wanted):
            return End(TargetState.SUCCEEDED, PowerResult.VERIFIED)
        if is_wanted:
            return Again(CONFIRM_SECONDS, is_wanted=True)
        is_untold = case.reading is not None and light is None
        is_over = 0 < seconds <= case.sent_seconds  # read too late to see it: no failure
        if case.was_answered and (is_untold or is_over):
            return End(TargetState.ACCEPTED, PowerResult.NOT_READABLE)
        if not case.is_overdue:
            return Again(PACE_SECONDS)
        if not case.was_answered:
            return End(TargetState.UNKNOWN, PowerResult.NO_EVIDENCE)
        if case.reading is None:
            return End(TargetState.ACCEPTED, PowerResult.NOT_READABLE)
        return End(TargetState.FAILED, PowerResult.NOT_REACHED)


def _seconds(params: Params) -> int:
    """:raises ValueError: not a whole number from 0 to 255."""
    seconds = params.get("seconds")
    if type(seconds) is not int or not 0 <= seconds <= MOST_IDENTIFY_SECONDS:
        raise ValueError(f"identify takes 0 to {MOST_IDENTIFY_SECONDS} seconds")
    return seconds
