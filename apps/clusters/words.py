"""What sites and clusters say in the audit, in words."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from apps.audit.words import Words

NAME_WORDS: Final = Words({"name": _("Name")})

KINDS: Final = {
    "clusters.cluster": lambda: NAME_WORDS,
    "clusters.site": lambda: NAME_WORDS,
}

ACTIONS: Final = {
    "clusters.cluster.create": _("added this cluster"),
    "clusters.cluster.update": _("changed this cluster"),
    "clusters.site.create": _("added this site"),
    "clusters.site.update": _("changed this site"),
    "clusters.cluster.delete": _("removed this cluster"),
    "clusters.site.delete": _("removed this site"),
}
