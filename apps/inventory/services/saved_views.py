"""Lists that a person wants again. They are theirs alone, and change nothing."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.inventory.models import SavedView

MOST_VIEWS: Final = 50
MOST_QUERY: Final = 2000


def view_create(*, actor: User, name: str, query: str) -> SavedView:
    """Keep a list's query under a name.

    :raises ValidationError: the name is taken, the query too long, or there are too many.
    """
    if len(query) > MOST_QUERY:
        raise ValidationError(_("This filter is too long to be kept."))
    with transaction.atomic():
        # One at a time for each person, so that two windows do not pass the limit together.
        User.objects.select_for_update().get(pk=actor.pk)
        if SavedView.objects.filter(user=actor).count() >= MOST_VIEWS:
            message = _("You have %(most)d views already. Remove one first.")
            raise ValidationError(message % {"most": MOST_VIEWS})
        view = SavedView(user=actor, name=name, query=query)
        _store(view)
    return view


def view_rename(*, actor: User, view: SavedView, name: str) -> SavedView:
    """:raises ValidationError: the name is taken."""
    found = SavedView.objects.get(pk=view.pk, user=actor)
    found.name = name
    _store(found)
    return found


def view_delete(*, actor: User, view: SavedView) -> None:
    SavedView.objects.filter(pk=view.pk, user=actor).delete()


def _store(view: SavedView) -> None:
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError:
        raise ValidationError({"name": _("You have a view of this name.")}) from None
