"""How the six power actions are checked, sent once, and verified."""

from __future__ import annotations

from typing import Any, ClassVar

from apps.accounts.models import User
from apps.bmc import BmcSession, PowerAction, PowerState, Receipt
from apps.inventory.choices import Transition
from apps.inventory.models import Server
from apps.jobs.choices import TargetState
from apps.jobs.handlers import Again, Case, End, Go, Handler, Params, Reading
from apps.power.choices import ACTION_TRANSITION, KIND, REPEATABLE, WANTED, PowerResult
from apps.power.selectors import may_order
from apps.power.timing import PowerTiming, timing


class PowerHandler(Handler):
    kind: ClassVar[str] = KIND

    @property
    def timing(self) -> PowerTiming:
        return timing()

    def check_params(self, params: Params) -> None:
        is_soft = _action(params) is PowerAction.SOFT_OFF
        if "escalate" in params and not (is_soft and params["escalate"] is True):
            raise ValueError("only a soft off escalates")

    def command(self, params: Params) -> str:
        return _action(params).value

    def transition(self, params: Params) -> Transition:
        return ACTION_TRANSITION[_action(params)]

    def may_repeat(self, params: Params) -> bool:
        return _action(params) in REPEATABLE

    def verify_seconds(self, params: Params) -> float:
        if _action(params) is PowerAction.SOFT_OFF:
            return self.timing.verify_soft_off
        return self.timing.verify

    # ---------------------------------------------------------------- with the BMC

    async def read(self, bmc: BmcSession) -> Reading:
        status = await bmc.chassis_status()
        return Reading(status.power, {"by_command": status.last_restart_by_command})

    async def send(self, bmc: BmcSession, params: Params, *, not_after: float) -> Receipt:
        return await bmc.chassis_control(_action(params), not_after=not_after)

    # ---------------------------------------------------------------- decisions

    def precheck(self, params: Params, reading: Reading) -> Go | End:
        action = _action(params)
        wanted = WANTED.get(action)
        if wanted is None:
            if reading.power is PowerState.OFF:
                return End(TargetState.FAILED, PowerResult.SERVER_OFF)
            return Go()
        if reading.power is not wanted:
            return Go()
        is_on = wanted is PowerState.ON
        code = PowerResult.ALREADY_ON if is_on else PowerResult.ALREADY_OFF
        return End(TargetState.SKIPPED, code)

    def answered(self, params: Params) -> Again | End:
        if _action(params) is PowerAction.NMI:
            return End(TargetState.ACCEPTED, PowerResult.NOT_READABLE)
        return Again(self.timing.first_read)

    def judge(self, case: Case) -> Again | End:
        wanted = WANTED.get(_action(case.params))
        if wanted is None:
            return self._judge_restart(case)
        return self._judge_state(case, wanted)

    def follow_up(self, params: Params, end: End) -> dict[str, Any] | None:
        """Soft off, then hard off: only if it was chosen before, and the server was read as on."""
        if params.get("escalate") is True and end.code == PowerResult.STILL_ON:
            return {"action": PowerAction.OFF.value}
        return None

    def is_allowed(self, actor: User, server: Server, params: Params) -> bool:
        return may_order(actor, server, _action(params))

    def _judge_state(self, case: Case, wanted: PowerState) -> Again | End:
        """on, off, soft_off: proven by the state alone."""
        reading = case.reading
        is_wanted = reading is not None and reading.power is wanted
        if is_wanted and (case.was_answered or case.was_wanted):
            return End(TargetState.SUCCEEDED, PowerResult.VERIFIED)
        if is_wanted:
            # Also past the deadline: the second read that must agree comes in some seconds.
            return Again(self.timing.confirm, is_wanted=True)
        if case.is_overdue:
            return self._overdue_state(case)
        return Again(self._pace(case))

    def _overdue_state(self, case: Case) -> End:
        if case.reading is None:
            code = PowerResult.NOT_READABLE if case.was_answered else PowerResult.NO_EVIDENCE
            return End(TargetState.UNKNOWN, code)
        is_soft = _action(case.params) is PowerAction.SOFT_OFF
        return End(TargetState.FAILED, PowerResult.STILL_ON if is_soft else PowerResult.NOT_REACHED)

    def _judge_restart(self, case: Case) -> Again | End:
        """cycle, reset, nmi: proven by an off phase, or by a restart cause that was not there."""
        reading = case.reading
        marks = {}
        if reading is not None and reading.power is PowerState.OFF:
            marks = {"off_seen": True}
        was_off = bool(case.evidence.get("off_seen"))
        if reading is not None and reading.power is PowerState.ON:
            before = case.evidence.get("before", {})
            is_new_cause = reading.marks.get("by_command") and before.get("by_command") is False
            if was_off or is_new_cause:
                return End(TargetState.SUCCEEDED, PowerResult.RESTART_SEEN)
        if self._is_over(case, was_off=was_off or bool(marks)):
            return self._overdue_restart(case, was_off=was_off or bool(marks))
        return Again(self._pace(case), marks=marks)

    def _is_over(self, case: Case, *, was_off: bool) -> bool:
        if case.is_overdue:
            return True
        is_reset = _action(case.params) is PowerAction.RESET
        is_calm = case.reading is not None and not was_off
        return (
            is_reset
            and case.was_answered
            and is_calm
            and case.sent_seconds >= self.timing.watch_reset
        )

    def _overdue_restart(self, case: Case, *, was_off: bool) -> End:
        if was_off and case.reading is not None:
            return End(TargetState.FAILED, PowerResult.NOT_REACHED)  # off, and it stayed off
        if case.was_answered:
            return End(TargetState.ACCEPTED, PowerResult.NOT_READABLE)
        return End(TargetState.UNKNOWN, PowerResult.NO_EVIDENCE)

    def _pace(self, case: Case) -> float:
        """Read often while a person watches, seldom when it takes long."""
        if case.sent_seconds < 20:
            return self.timing.first_read
        return 2.0 if case.sent_seconds < 120 else 5.0


def _action(params: Params) -> PowerAction:
    """:raises ValueError: no such action."""
    return PowerAction(str(params.get("action")))
