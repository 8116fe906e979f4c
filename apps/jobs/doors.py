"""What jobs tell on pages of lower floors: orders at work, workers of a site, audit words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import Count
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.audit.words import Words, words_register
from apps.core.panels import Panel, panel_register
from apps.core.usage import Usage, usage_register
from apps.inventory.models import Server
from apps.inventory.selectors import SERVER_PAGE
from apps.jobs.choices import OPEN
from apps.jobs.models import JobTarget
from apps.jobs.selectors import workers_live

MOST_NAMED: Final = 10
BATCH: Final = 500
TEMPLATE: Final = "jobs/_servers_at_work.html"


def sign_in() -> None:
    """Register everything; once, when the apps are ready."""
    panel_register(Panel(SERVER_PAGE, "remove", "open-orders", TEMPLATE, _of_one))
    panel_register(Panel(SERVER_PAGE, "remove-many", "open-orders-many", TEMPLATE, _of_many))
    usage_register(Usage("clusters.site", "workers", "", _worker_words, _workers, None, 60))
    words_register(
        actions={
            "*.order": _("ordered it"),
            "*.command": _("a command was about to be sent"),
            "job.stop": _("stopped the job"),
        },
        labels={
            "job": _("Job"),
            "action": _("Action"),
            "command": _("Command"),
            "power": _("Power before"),
        },
        kinds={"jobs.job": lambda: Words({})},
    )


def _of_one(server: Server) -> dict[str, Any] | None:
    return _of_many([server])


def _of_many(servers: Sequence[Server]) -> dict[str, Any] | None:
    ids, found = [server.pk for server in servers], set[int]()
    for start in range(0, len(ids), BATCH):
        rows = JobTarget.objects.filter(
            server__in=ids[start : start + BATCH], state__in=sorted(OPEN)
        )
        found |= set(rows.values_list("server_id", flat=True))
    if not found:
        return None
    names = [server.name for server in servers if server.pk in found]
    return {"count": len(names), "names": names[:MOST_NAMED], "more": len(names) > MOST_NAMED}


def _worker_words(number: int) -> str:
    return ngettext("%(n)d running worker", "%(n)d running workers", number) % {"n": number}


def _workers(_user: Any, ids: Sequence[int]) -> dict[int, int]:
    rows = workers_live().filter(site__in=ids).order_by().values_list("site")
    return dict(rows.annotate(number=Count("pk")))
