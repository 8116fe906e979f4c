"""The course of one target: from its lease to `sent`, and each verifying read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import structlog
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from apps.bmc import (
    BmcBreakerOpen,
    BmcBusy,
    BmcError,
    BmcLoginTooSoon,
    BmcNotSent,
    BmcOverloaded,
    BmcRefused,
    BmcSession,
    BmcSessionLost,
    BmcSlotsFull,
    BmcUnreachable,
    PowerState,
)
from apps.inventory.choices import Power
from apps.inventory.services import PowerFault, PowerReading
from apps.jobs import handlers
from apps.jobs.books import Begun, Ended, Guard, Held, Move
from apps.jobs.choices import AttemptOutcome, ResultCode, TargetState
from apps.jobs.config import RunnerConfig
from apps.jobs.guards import Veto, vetoes
from apps.jobs.handlers import Case, End, Handler, Reading
from apps.jobs.models import Job, JobTarget
from apps.jobs.sources import Sessions
from apps.jobs.worker.access import Access, Doorman, NoAccess
from apps.jobs.worker.claims import Claimed
from apps.jobs.worker.db import DATABASE_AWAY, DbThreads
from apps.jobs.worker.identity import Identities
from apps.jobs.worker.ledger import Ledger
from apps.jobs.worker.news import News

log = structlog.get_logger(__name__)

RETRIES: Final[dict[type[BmcError], int]] = {
    BmcUnreachable: 1,
    BmcSessionLost: 1,
    BmcBreakerOpen: 2,
    BmcLoginTooSoon: 5,
    BmcSlotsFull: 5,
    BmcOverloaded: 10,
    BmcBusy: 5,
    BmcNotSent: 3,
}
"""How often a target starts again when certainly nothing was sent. `not_after` bounds it too."""
RETRY_SECONDS: Final = 2.0

NOTHING_LEARNED: Final = (BmcBreakerOpen, BmcLoginTooSoon, BmcOverloaded)
"""Nothing was asked, so nothing is known about the server that was not known before."""


class Lost(Exception):
    """The target is not ours any more: somebody stopped it, or our lease ran out."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What every course works with."""

    me: str
    config: RunnerConfig
    db: DbThreads
    ledger: Ledger
    news: News
    pool: Sessions
    doorman: Doorman
    wake_in: Callable[[float], None]
    identities: Identities = field(default_factory=Identities)


def shown(state: PowerState) -> Power:
    return Power(state.value)


@dataclass(frozen=True, slots=True)
class Stayed:
    """Why a target in `intent` was not allowed to send."""

    is_stopped: bool
    is_late: bool
    veto: Veto | None


def look(held: Held, kind: str) -> Stayed | None:
    """Tell why `sent` was refused to a target in `intent`; in a database thread.

    None: it is not ours.
    """
    stopped = Job.objects.filter(pk=OuterRef("job_id"), stop_requested_at__isnull=False)
    rows = JobTarget.objects.filter(pk=held.pk, token=held.token, state=TargetState.INTENT)
    if not rows.exists():
        return None
    found = vetoes(kind, [held.server_id]) if held.server_id else {}
    return Stayed(
        is_stopped=rows.filter(Exists(stopped)).exists(),
        is_late=rows.filter(not_after__lte=Now()).exists(),
        veto=next(iter(found.values()), None),
    )


class Course:
    """One claimed target. `act` and `verify` never raise for what a BMC does."""

    def __init__(self, bench: Bench, claimed: Claimed) -> None:
        self._bench = bench
        self._claimed = claimed
        self._held = claimed.held
        self._evidence = dict(claimed.evidence)
        self._previous: Power | None = None
        self._log = log.bind(job_id=self._held.job_id, target_id=self._held.pk)

    # ---------------------------------------------------------------- from lease to sent

    async def act(self) -> None:
        try:
            move = await self._begin()
            await self._finish(move)
        except Lost:
            self._log.info("target_lost", state=self._held.state)
        except DATABASE_AWAY as error:
            self._log.warning("target_left_to_sweeper", error=type(error).__name__)

    async def _begin(self) -> Move:
        """Return the move that ends this conversation; its session is given back by then."""
        if veto := self._claimed.veto:
            return self._fail(veto.code, veto.params)
        try:
            handler = handlers.handler_of(self._claimed.kind)
            access = await self._bench.doorman.admit(self._claimed.row)
            await self._step(Move(self._held, TargetState.PRECHECK, Guard.LEASE))
            async with self._bench.pool.session(
                access.endpoint, access.credential, interactive=True
            ) as bmc:
                return await self._converse(handler, access, bmc)
        except NoAccess as error:
            self._fault(error.code, error.params)
            return self._fail(error.code, error.params)
        except (Lost, *DATABASE_AWAY):
            raise
        except Exception as error:
            if self._held.state is TargetState.SENT:
                raise  # it may have run: the sweeper verifies it
            if isinstance(error, BmcError):
                return self._not_begun(error)
            self._log.exception("target_broke")
            return self._fail(ResultCode.INTERNAL)

    def _not_begun(self, error: BmcError) -> Move:
        if not isinstance(error, NOTHING_LEARNED):
            self._fault(error.code, error.params)
        return self._again(error) or self._fail(error.code, error.params)

    async def _converse(self, handler: Handler, access: Access, bmc: BmcSession) -> Move:
        params, identities = self._claimed.params, self._bench.identities
        seen = await identities.check(bmc, access, anew=True)
        if seen.guid and not access.guid:
            self._bench.news.guid(access.bmc_id, seen.guid)
        reading = await handler.read(bmc)
        await identities.check(bmc, access)  # the read may have logged in anew
        self._read(reading)
        self._previous = shown(reading.power)
        decision = handler.precheck(params, reading)
        if isinstance(decision, End):
            return self._move(
                decision.state, end=decision, final_power=self._previous, guard=Guard.LEASE
            )
        self._evidence |= {"before": {"power": reading.power.value, **reading.marks}}
        command = handler.command(params)
        await self._step(
            self._move(
                TargetState.INTENT,
                guard=Guard.LEASE,
                attempt=Begun(command, dict(params), self._bench.me),
            )
        )
        return await self._send(handler, bmc)

    async def _send(self, handler: Handler, bmc: BmcSession) -> Move:
        """Commit `sent`, then let one datagram leave within the window, or none."""
        params, config = self._claimed.params, self._bench.config
        not_after = monotonic() + config.send_window_seconds
        is_allowed = await self._bench.ledger.move(
            self._move(
                TargetState.SENT,
                guard=Guard.SEND,
                verify_seconds=handler.verify_seconds(params),
                transition=handler.transition(params),
                lease_margin_seconds=config.lease_margin_seconds,
                kind=self._claimed.kind,
            )
        )
        if not is_allowed:
            return await self._why_not()
        self._log.info("command_sent", command=handler.command(params))
        try:
            if monotonic() > not_after:
                raise BmcNotSent(reason="late")
            await handler.send(bmc, params, not_after=not_after)
        except (BmcNotSent, BmcBusy, BmcRefused) as error:
            return self._refused(handler, error)
        except BmcError as error:
            self._log.warning("command_unanswered", error=error.code)
            ended = Ended(AttemptOutcome.NO_REPLY, {"error": error.code})
            return self._move(TargetState.VERIFYING, due_seconds=1.0, attempt=ended)
        next_step = handler.answered(params)
        ended = Ended(AttemptOutcome.ACCEPTED)
        if isinstance(next_step, End):
            return self._move(next_step.state, end=next_step, attempt=ended, is_answered=True)
        return self._move(
            TargetState.VERIFYING, due_seconds=next_step.seconds, attempt=ended, is_answered=True
        )

    async def _why_not(self) -> Move:
        """`sent` was refused: stopped, kept from it, too late, or the lease runs out."""
        found = await self._bench.db.run(look, self._held, self._claimed.kind)
        if found is None:
            raise Lost
        ended = Ended(AttemptOutcome.NOT_SENT)
        if found.is_stopped:
            end = End(TargetState.CANCELLED, ResultCode.STOPPED)
            return self._move(end.state, end=end, attempt=ended)
        if found.veto is not None:
            return self._fail(found.veto.code, found.veto.params, attempt=ended)
        if found.is_late:
            return self._fail(ResultCode.EXPIRED, attempt=ended)
        return self._move(TargetState.QUEUED, due_seconds=0.0, attempt=ended)

    def _refused(self, handler: Handler, error: BmcError) -> Move:
        """The BMC said no, or nothing left: it certainly did not run."""
        outcome = {
            BmcNotSent: AttemptOutcome.NOT_SENT,
            BmcBusy: AttemptOutcome.BUSY,
            BmcRefused: AttemptOutcome.REFUSED,
        }[type(error)]
        ended = Ended(outcome, dict(error.params))
        again = None
        if handler.may_repeat(self._claimed.params):
            again = self._again(error, ended)
        return again or self._fail(error.code, error.params, attempt=ended)

    # ---------------------------------------------------------------- verification

    async def verify(self) -> None:
        """Read once, and decide."""
        try:
            await self._finish(await self._verdict())
        except Lost:
            self._log.info("target_lost", state=self._held.state)
        except DATABASE_AWAY as error:
            self._log.warning("target_left_to_sweeper", error=type(error).__name__)

    async def _verdict(self) -> Move:
        claimed = self._claimed
        try:
            handler = handlers.handler_of(claimed.kind)
            if claimed.is_superseded and not handler.is_harmless:
                end = End(TargetState.UNKNOWN, ResultCode.SUPERSEDED)
                return self._move(end.state, end=end, guard=Guard.TOKEN)
            reading, wait = await self._verifying_read(handler)
            verdict = handler.judge(self._case(handler, reading))
        except Exception:  # noqa: BLE001  a broken handler must not keep a target open for ever
            self._log.exception("verification_broke")
            end = End(TargetState.UNKNOWN, ResultCode.INTERNAL)
            if claimed.is_overdue:
                return self._move(end.state, end=end, guard=Guard.TOKEN)
            return self._move(TargetState.VERIFYING, due_seconds=5.0, guard=Guard.TOKEN)
        power = shown(reading.power) if reading else None
        if isinstance(verdict, End):
            return self._move(
                verdict.state,
                end=verdict,
                final_power=power,
                guard=Guard.TOKEN if handler.is_harmless else Guard.LAST,
                follow_up=handler.follow_up(claimed.params, verdict),
            )
        if reading is not None:
            self._read(reading)
        self._evidence |= verdict.marks
        return self._move(
            TargetState.VERIFYING,
            due_seconds=max(verdict.seconds, wait),
            is_wanted=verdict.is_wanted if reading else None,
            guard=Guard.TOKEN,
        )

    def _case(self, handler: Handler, reading: Reading | None) -> Case:
        claimed = self._claimed
        left = claimed.left.total_seconds() if claimed.left else 0.0
        return Case(
            params=claimed.params,
            evidence=claimed.evidence,
            was_answered=claimed.was_answered,
            was_wanted=claimed.was_wanted,
            is_overdue=claimed.is_overdue,
            sent_seconds=max(0.0, handler.verify_seconds(claimed.params) - left),
            reading=reading,
        )

    async def _verifying_read(self, handler: Handler) -> tuple[Reading | None, float]:
        """Return what was read, or None and how long the BMC wants to be left alone."""
        try:
            access = await self._bench.doorman.admit(self._claimed.row)
            async with self._bench.pool.session(
                access.endpoint, access.credential, interactive=True
            ) as bmc:
                reading = await handler.read(bmc)
                await self._bench.identities.check(bmc, access)
                return reading, 0.0
        except NoAccess as error:
            self._fault(error.code, error.params)
            return None, RETRY_SECONDS
        except BmcError as error:
            if not isinstance(error, NOTHING_LEARNED):
                self._fault(error.code, error.params)
            return None, float(error.params.get("retry_seconds", RETRY_SECONDS))

    # ---------------------------------------------------------------- moves

    async def _step(self, move: Move) -> None:
        if not await self._bench.ledger.move(move):
            raise Lost

    async def _finish(self, move: Move) -> None:
        await self._step(move)
        if move.due_seconds is not None:
            self._bench.wake_in(move.due_seconds)
        if move.end is not None:
            self._log.info("target_ended", state=move.to, code=move.end.code)

    def _move(self, to: TargetState, *, guard: Guard = Guard.LEASE, **changes: Any) -> Move:
        return Move(
            self._held,
            to,
            guard,
            evidence=dict(self._evidence),
            previous_power=self._previous,
            **changes,
        )

    def _fail(
        self,
        code: str,
        params: dict[str, str | int | float] | None = None,
        attempt: Ended | None = None,
    ) -> Move:
        end = End(TargetState.FAILED, code, dict(params or {}))
        return self._move(end.state, end=end, attempt=attempt)

    def _again(self, error: BmcError, attempt: Ended | None = None) -> Move | None:
        """Start again later with a fresh read, if that is allowed once more."""
        if self._claimed.tries >= RETRIES.get(type(error), 0):
            return None
        self._evidence["waits_for"] = error.code
        return self._move(
            TargetState.QUEUED,
            due_seconds=float(error.params.get("retry_seconds", RETRY_SECONDS)),
            tries=self._claimed.tries + 1,
            attempt=attempt,
        )

    # ---------------------------------------------------------------- news

    def _read(self, reading: Reading) -> None:
        if self._held.server_id is not None:
            self._bench.news.read(PowerReading(self._held.server_id, shown(reading.power)))

    def _fault(self, code: str, params: dict[str, str | int | float]) -> None:
        if self._held.server_id is not None:
            self._bench.news.read(PowerFault(self._held.server_id, code, params))
