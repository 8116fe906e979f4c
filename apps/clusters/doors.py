"""What clusters and sites tell of themselves to shared pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count
from django.utils.translation import ngettext

from apps.audit.words import words_register
from apps.clusters.models import RoleGrant
from apps.clusters.words import ACTIONS, KINDS
from apps.core.usage import Usage, usage_register


def sign_in() -> None:
    """Register everything; once, when the apps are ready."""
    words_register(actions=ACTIONS, kinds=KINDS)
    usage_register(Usage("clusters.cluster", "grants", "", _grant_words, _grants, None, 50))


def _grant_words(number: int) -> str:
    words = ngettext("%(n)d role given in it", "%(n)d roles given in it", number)
    return words % {"n": number}


def _grants(_: Any, ids: Sequence[int]) -> dict[int, int]:
    rows = RoleGrant.objects.filter(cluster__in=ids).values_list("cluster_id")
    return dict(rows.annotate(number=Count("pk")).order_by())
