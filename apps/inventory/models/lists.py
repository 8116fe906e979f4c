"""What people keep of the server list: views with a name, and what they picked."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User


class SavedView(models.Model):
    """A list that somebody wants again: the query string of its URL, columns included."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+", verbose_name=_("user"))
    name = models.CharField(_("name"), max_length=64)
    query = models.CharField(_("query"), max_length=2000, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="view_name_once_a_user")
        ]

    def __str__(self) -> str:
        return self.name


class ServerSelection(models.Model):
    """What a person picked in the list, across pages.

    Either `ids`, or all that match `query` at the time of use without `ids` (`is_all`). Rights are
    asked when it is used: `selectors.selection_servers`.
    """

    uuid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="+", verbose_name=_("user"))
    is_all = models.BooleanField(default=False)
    query = models.CharField(max_length=2000, blank=True)
    ids = models.JSONField(default=list)
    updated_at = models.DateTimeField(auto_now=True, db_index=True)

    class Meta:
        verbose_name = _("selection")
        verbose_name_plural = _("selections")

    def __str__(self) -> str:
        return str(self.uuid)
