"""What a person must know before a power order: state, consequence, undo, softer choice."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.bmc import PowerAction
from apps.inventory.choices import Power
from apps.inventory.models import Server, ServerStatus
from apps.jobs.models import Job
from apps.power.choices import ACTION_WORDS, WANTED
from apps.power.pages import ACTION_ICON, OrderLine, line_of
from apps.power.selectors import power_open

TITLES: Final[dict[PowerAction, str | Promise]] = {
    PowerAction.ON: _("Power on %(server)s?"),
    PowerAction.SOFT_OFF: _("Soft off %(server)s?"),
    PowerAction.OFF: _("Hard power off %(server)s?"),
    PowerAction.CYCLE: _("Power cycle %(server)s?"),
    PowerAction.RESET: _("Reset %(server)s?"),
    PowerAction.NMI: _("Send a diagnostic interrupt to %(server)s?"),
}
UNDO: Final[dict[PowerAction, str | Promise]] = {
    PowerAction.ON: _("Undo: soft off."),
    PowerAction.SOFT_OFF: _("Undo: power on."),
    PowerAction.OFF: _("No undo. Powering on again brings the server back, not the data."),
    PowerAction.CYCLE: _("No undo. The server comes back, unsaved data does not."),
    PowerAction.RESET: _("No undo. The server comes back, unsaved data does not."),
    PowerAction.NMI: _("No undo. What the operating system does with it cannot be stopped."),
}
TAKES_DOWN: Final = frozenset(
    {PowerAction.SOFT_OFF, PowerAction.OFF, PowerAction.CYCLE, PowerAction.RESET}
)


@dataclass(frozen=True, slots=True)
class Rest:
    """The other servers of the cluster."""

    total: int
    on: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Question:
    """One power action of one server, as the confirmation shows it."""

    server: Server
    action: PowerAction
    is_late: bool
    at_work: list[OrderLine]
    rest: Rest | None

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
    def undo(self) -> str | Promise:
        return UNDO[self.action]

    @property
    def softer_url(self) -> str:
        if not self.is_danger:
            return ""
        return reverse("power:power_confirm", args=[self.server.pk, PowerAction.SOFT_OFF.value])

    @property
    def is_blocked(self) -> bool:
        """The state is not known: a reading comes first."""
        return self.server.status.power == Power.UNKNOWN

    @property
    def is_there_already(self) -> bool:
        wanted = WANTED.get(self.action)
        return wanted is not None and self.server.status.power == wanted.value

    @property
    def is_off_already(self) -> bool:
        """Off, and the action needs it to be on."""
        return self.action not in WANTED and self.server.status.power == Power.OFF

    @property
    def name_to_type(self) -> str:
        """What must be typed: an interrupting action on a reading that is late."""
        return self.server.name if self.is_danger and self.is_late and not self.is_blocked else ""


def question_of(user: User | AnonymousUser, server: Server, action: PowerAction) -> Question:
    """Collect what the confirmation prints."""
    return Question(
        server=server,
        action=action,
        is_late=is_late(server.status),
        at_work=[line_of(target) for target in power_open(server)],
        rest=_rest(user, server) if action in TAKES_DOWN else None,
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


def _rest(user: User | AnonymousUser, server: Server) -> Rest | None:
    if server.cluster_id is None:
        return None
    others = Server.objects.visible_to(user).filter(cluster=server.cluster_id)
    counts = others.exclude(pk=server.pk).aggregate(
        total=Count("pk"),
        on=Count("pk", filter=Q(status__power=Power.ON)),
        unknown=Count("pk", filter=Q(status__power=Power.UNKNOWN)),
    )
    return Rest(**counts) if counts["total"] else None
