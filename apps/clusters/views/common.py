"""What the pages of clusters and sites share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.audit.forms import VersionedForm
from apps.audit.pages import Crumb
from apps.clusters.choices import Role
from apps.clusters.models import Cluster, Site
from apps.clusters.selectors import has_everywhere
from apps.core.http import HtmxHttpRequest
from apps.core.removal import Removal
from apps.core.usage import columns_of, usage_counts, used_by


class RemoveForm(VersionedForm):
    """Nothing but the version that the question was asked for."""

    saved_by = "clusters."


def need_admin(request: HtmxHttpRequest) -> None:
    """:raises PermissionDenied: anybody but an admin."""
    if not has_everywhere(request.user, Role.ADMIN):
        raise PermissionDenied


def counted(user: Any, page: str, rows: Sequence[Cluster] | Sequence[Site]) -> dict[str, Any]:
    """Return the rows with what uses them, and the headings of those columns."""
    counts = usage_counts(page, user, rows)
    return {
        "columns": columns_of(page),
        "rows": [{"row": row, "counts": counts[row.pk]} for row in rows],
        "may_change": has_everywhere(user, Role.ADMIN),
    }


def removal_of(row: Cluster | Site, noun: str, consequence: str) -> Removal:
    """Return the question before a cluster or site is removed."""
    uses = used_by(row._meta.label_lower, row)
    blocked = [_("It is used. Move or remove these first:")] if uses else []
    return Removal(
        obj=row,
        url=reverse(f"clusters:{noun}_delete", args=[row.pk]),
        back=reverse(f"clusters:{noun}_edit", args=[row.pk]),
        consequences=[consequence],
        blocked=blocked,
        used_by=[(use.words, use.url) for use in uses],
    )


def crumbs_of(row: Cluster | Site, noun: str, word: str) -> list[Crumb]:
    """Return the way from the list to the form of this row."""
    form = reverse(f"clusters:{noun}_edit", args=[row.pk])
    return [(word, reverse(f"clusters:{noun}_list")), (row.name, form)]
