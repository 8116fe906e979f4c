"""What a person must know before a power order: state, consequence, undo, softer choice."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.models import User
from apps.bmc import PowerAction
from apps.inventory.choices import Power
from apps.inventory.models import Server, ServerQuerySet, ServerStatus
from apps.jobs.models import Job
from apps.power.choices import ACTION_WORDS, PROD_TAG, WANTED
from apps.power.forms import PowerForm
from apps.power.lines import OrderLine, duration_words, line_of
from apps.power.pages import ACTION_ICON
from apps.power.selectors import may_order, power_open
from apps.power.services import grace_of
from apps.power.timing import timing

TITLES: Final[dict[PowerAction, str | Promise]] = {
    PowerAction.ON: gettext_lazy("Power on %(server)s?"),
    PowerAction.SOFT_OFF: gettext_lazy("Soft off %(server)s?"),
    PowerAction.OFF: gettext_lazy("Hard power off %(server)s?"),
    PowerAction.CYCLE: gettext_lazy("Power cycle %(server)s?"),
    PowerAction.RESET: gettext_lazy("Reset %(server)s?"),
    PowerAction.NMI: gettext_lazy("Send a diagnostic interrupt to %(server)s?"),
}
UNDO: Final[dict[PowerAction, str | Promise]] = {
    PowerAction.ON: gettext_lazy("Undo: soft off."),
    PowerAction.SOFT_OFF: gettext_lazy("Undo: power on."),
    PowerAction.OFF: gettext_lazy(
        "No undo. Powering on again brings the server back, not the data."
    ),
    PowerAction.CYCLE: gettext_lazy("No undo. The server comes back, unsaved data does not."),
    PowerAction.RESET: gettext_lazy("No undo. The server comes back, unsaved data does not."),
    PowerAction.NMI: gettext_lazy(
        "No undo. What the operating system does with it cannot be stopped."
    ),
}


@dataclass(frozen=True, slots=True)
class Rest:
    """The other servers of a cluster or a rack, of those that this person sees."""

    name: str
    total: int
    on: int
    unknown: int

    @property
    def is_last(self) -> bool:
        """No other one runs, for certain."""
        return self.on == 0 and self.unknown == 0


@dataclass(frozen=True, slots=True)
class Question:
    """One power action of one server, as the confirmation shows it."""

    server: Server
    action: PowerAction
    is_late: bool
    is_prod: bool
    at_work: list[OrderLine]
    cluster_rest: Rest | None
    rack_rest: Rest | None
    may_escalate: bool
    grace_seconds: int

    @property
    def title(self) -> str:
        return str(TITLES[self.action]) % {"server": self.server.name}

    @property
    def label(self) -> str | Promise:
        return ACTION_WORDS[self.action].label

    @property
    def icon(self) -> str:
        return ACTION_ICON.get(self.action, "zap")

    @property
    def consequence(self) -> str | Promise:
        return ACTION_WORDS[self.action].consequence

    @property
    def is_danger(self) -> bool:
        return ACTION_WORDS[self.action].is_danger

    @property
    def takes_down(self) -> bool:
        """What runs there stops, for a while or for good."""
        return self.action is not PowerAction.ON

    @property
    def undo(self) -> str | Promise:
        return UNDO[self.action]

    @property
    def softer_url(self) -> str:
        if not self.is_danger:
            return ""
        return reverse("power:power_confirm", args=[self.server.pk, PowerAction.SOFT_OFF.value])

    @property
    def is_protected(self) -> bool:
        return self.server.is_protected

    @property
    def is_unknown(self) -> bool:
        """The state is not known: a reading comes first."""
        return self.server.status.power == Power.UNKNOWN

    @property
    def is_blocked(self) -> bool:
        """Nothing can be ordered here now."""
        return self.is_protected or self.is_unknown

    @property
    def is_there_already(self) -> bool:
        wanted = WANTED.get(self.action)
        return wanted is not None and self.server.status.power == wanted.value

    @property
    def is_off_already(self) -> bool:
        """Off, and the action needs it to be on."""
        return self.action not in WANTED and self.server.status.power == Power.OFF

    @property
    def is_on(self) -> bool:
        return self.server.status.power == Power.ON

    @property
    def place_units(self) -> str:
        """The rack units it fills: U21, or U21–22."""
        first, last = self.server.rack_unit, self.server.top_unit
        if first is None or last is None:
            return ""
        return f"U{first}" if first == last else f"U{first}–{last}"

    @property
    def name_to_type(self) -> str:
        """What must be typed: for cutting the power, of a server that is in production or whose
        reading is late."""
        is_asked = self.is_prod or self.is_late
        is_able = self.is_danger or self.may_escalate
        return self.server.name if is_asked and is_able and not self.is_blocked else ""

    def form(self, data: Any = None) -> PowerForm:
        """Return the form that orders it."""
        return PowerForm(
            data,
            name_to_type=self.name_to_type,
            why_typed=_("It is tagged %(tag)s.") % {"tag": PROD_TAG} if self.is_prod else "",
            escalation_after=duration_words(timing().verify_soft_off) if self.may_escalate else "",
        )


def question_of(user: User | AnonymousUser, server: Server, action: PowerAction) -> Question:
    """Collect what the confirmation prints."""
    is_soft = action is PowerAction.SOFT_OFF
    return Question(
        server=server,
        action=action,
        is_late=is_late(server.status),
        is_prod=server.tags.filter(name__iexact=PROD_TAG).exists(),
        at_work=[line_of(target) for target in power_open(server)],
        cluster_rest=_cluster_rest(user, server),
        rack_rest=_rack_rest(user, server),
        may_escalate=is_soft and may_order(user, server, PowerAction.OFF),
        grace_seconds=grace_of(action),
    )


def is_late(status: ServerStatus) -> bool:
    """Say whether the reading is older than two polling intervals."""
    if status.power_read_at is None:
        return True
    return (timezone.now() - status.power_read_at).total_seconds() > 2 * settings.POLL_SECONDS


def order_repeated(user: User, server: Server, key: str) -> bool:
    """Say whether this very form ordered already: the second press changes nothing."""
    try:
        request_key = uuid.UUID(key)
    except ValueError:
        return False
    return Job.objects.filter(request_key=request_key, actor=user, targets__server=server).exists()


def _cluster_rest(user: User | AnonymousUser, server: Server) -> Rest | None:
    if server.cluster is None:
        return None
    others = Server.objects.visible_to(user).filter(cluster=server.cluster)
    return _rest(server, server.cluster.name, others)


def _rack_rest(user: User | AnonymousUser, server: Server) -> Rest | None:
    if server.rack is None:
        return None
    return _rest(server, server.rack.name, Server.objects.visible_to(user).filter(rack=server.rack))


def _rest(server: Server, name: str, others: ServerQuerySet) -> Rest:
    counts = others.exclude(pk=server.pk).aggregate(
        total=Count("pk"),
        on=Count("pk", filter=Q(status__power=Power.ON)),
        unknown=Count("pk", filter=Q(status__power=Power.UNKNOWN)),
    )
    return Rest(name, **counts)
