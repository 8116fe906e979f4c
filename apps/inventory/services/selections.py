"""What a person picks in the server list, kept here so that it outlives pages and filters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import QueryDict
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.dbtime import now_plus
from apps.inventory.listing import listing_of
from apps.inventory.models import Server, ServerSelection
from apps.inventory.selectors import SELECTION_SECONDS, selection_servers

MOST_SELECTED: Final = 10_000
MOST_QUERY: Final = 2000


def selection_change(
    *,
    actor: User,
    selection: ServerSelection | None,
    tick: Iterable[int] = (),
    untick: Iterable[int] = (),
) -> ServerSelection:
    """Add and take away servers; ids that the actor does not see are as good as missing.

    :raises ValidationError: too many.
    """
    with transaction.atomic():
        held = _held(actor, selection)
        visible = Server.objects.visible_to(actor).filter(pk__in=set(tick)).order_by()
        added, gone = set(visible.values_list("pk", flat=True)), set(untick)
        if held.is_all:
            _change_all(actor, held, added, gone)
        else:
            held.ids = sorted((set(held.ids) | added) - gone)
        _store(held)
    return held


def selection_all(*, actor: User, selection: ServerSelection | None, query: str) -> ServerSelection:
    """Select all that match the list's query, at the time of use.

    :raises ValidationError: a query that is not wholly understood selects nothing.
    """
    listing = listing_of(actor, QueryDict(query))
    if not listing.is_exact:
        raise ValidationError(_("This filter is not understood as a whole. Load the list again."))
    with transaction.atomic():
        held = _held(actor, selection)
        held.is_all, held.ids, held.query = True, [], listing.params.urlencode()
        if len(held.query) > MOST_QUERY:
            # Too long to be kept: what matches now is.
            rows = listing.rows().order_by().values_list("pk", flat=True)
            held.is_all, held.ids, held.query = False, sorted(rows), ""
        _store(held)
    return held


def selection_clear(*, actor: User, selection: ServerSelection) -> None:
    ServerSelection.objects.filter(pk=selection.pk, user=actor).delete()


def _held(actor: User, selection: ServerSelection | None) -> ServerSelection:
    """Return the row, locked, or a new one; who begins one clears what expired."""
    if selection is not None:
        rows = ServerSelection.objects.select_for_update()
        if held := rows.filter(pk=selection.pk, user=actor).first():
            return held
    ServerSelection.objects.filter(updated_at__lt=now_plus(-SELECTION_SECONDS)).delete()
    return ServerSelection(user=actor)


def _change_all(actor: User, held: ServerSelection, added: set[int], gone: set[int]) -> None:
    """ "All but these": what is taken away is noted, and what comes from elsewhere ends it."""
    held.ids = sorted((set(held.ids) | gone) - added)
    chosen = set(selection_servers(actor, held).order_by().values_list("pk", flat=True))
    if added - chosen:
        held.is_all, held.query = False, ""
        held.ids = sorted(chosen | added)


def _store(held: ServerSelection) -> None:
    if len(held.ids) > MOST_SELECTED:
        message = _("At most %(most)d servers can be picked one by one; select all that match.")
        raise ValidationError(message % {"most": MOST_SELECTED})
    held.save()
