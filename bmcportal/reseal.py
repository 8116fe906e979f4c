"""Every sealed secret of the portal, and how it comes under the newest key while all goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from allauth.mfa.models import Authenticator
from django.db import models, transaction
from django.db.models import QuerySet

from apps.accounts.adapters import SECOND_FACTORS
from apps.audit.services import entry_record
from apps.core.locks import rows_lock
from apps.core.secrets import SecretUnreadable, key_newest, key_of, secret_open, secret_seal
from apps.inventory.models import CredentialProfile

AT_ONCE: Final = 50
"""Rows locked together: people and workers wait for no more than these."""


@dataclass(frozen=True, slots=True)
class Place:
    """Rows with sealed texts: in fields, or in one JSON field under the same names."""

    name: str
    rows: Callable[[], QuerySet[Any]]
    fields: tuple[str, ...]
    bound_to: Callable[[Any, str], str]
    about: Callable[[Any], models.Model]
    """What an audit entry of a row is about."""
    action: str
    inside: str = ""

    def texts(self, row: Any) -> dict[str, str]:
        """Return what the row has sealed, by field."""
        held = getattr(row, self.inside) if self.inside else vars(row)
        return {name: held[name] for name in self.fields if held.get(name)}

    def values(self, row: Any, texts: dict[str, str]) -> dict[str, Any]:
        """Return the columns with these texts in them."""
        return {self.inside: getattr(row, self.inside) | texts} if self.inside else dict(texts)


PLACES: Final = (
    Place(
        name="credential profiles",
        rows=CredentialProfile.objects.all,
        fields=("sealed_password", "sealed_kg"),
        bound_to=lambda row, name: str(row.bound_to(name.removeprefix("sealed_"))),
        about=lambda row: row,
        action="secrets.profile.reseal",
    ),
    Place(
        name="second factors",
        # A security key has nothing secret here; the app's secret and the seed of the codes are.
        rows=Authenticator.objects.select_related("user").exclude(type="webauthn").all,
        fields=("secret", "seed"),
        bound_to=lambda row, name: SECOND_FACTORS,
        about=lambda row: row.user,
        action="secrets.second_factor.reseal",
        inside="data",
    ),
)


@dataclass(slots=True)
class Found:
    """What was seen in one place."""

    total: int = 0
    by_key: Counter[str] = field(default_factory=Counter)
    """Sealed texts by the id of their key."""
    unreadable: list[str] = field(default_factory=list)
    """Row, field and reason, in words."""

    @property
    def is_done(self) -> bool:
        return not self.unreadable and set(self.by_key) <= {key_newest()}


def place_check(place: Place) -> Found:
    """Try to open every text; change nothing."""
    found = Found()
    for row in place.rows().order_by("pk").iterator(AT_ONCE):
        found.total += 1
        for name, stored in place.texts(row).items():
            found.by_key[key_of(stored)] += 1
            try:
                secret_open(stored, bound_to=place.bound_to(row, name))
            except SecretUnreadable as error:
                label = f"{row._meta.verbose_name} {row.pk} ({place.about(row)})"
                found.unreadable.append(f"{label}, {name}: {error}")
    return found


def place_reseal(place: Place) -> Iterator[tuple[int, int]]:
    """Seal with the newest key what is under another one and can be opened.

    Yields after every transaction how many rows were looked at, and how many texts were sealed
    again. Each transaction is short and holds the locks that whoever changes a secret takes too:
    nobody's new secret is overwritten with an old one. Stopped in between, what is done is done.
    """
    seen = resealed = last = 0
    while ids := list(
        place.rows().filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:AT_ONCE]
    ):
        with transaction.atomic():
            locked = rows_lock(place.rows().filter(pk__in=ids))
            for row in place.rows().filter(pk__in=locked):
                resealed += _row_reseal(place, row)
        seen += len(ids)
        last = ids[-1]
        yield seen, resealed


def _row_reseal(place: Place, row: Any) -> int:
    old, new = {}, {}
    for name, stored in place.texts(row).items():
        bound_to = place.bound_to(row, name)
        if key_of(stored) != key_newest():
            with suppress(SecretUnreadable):
                new[name] = secret_seal(secret_open(stored, bound_to=bound_to), bound_to=bound_to)
                old[name] = stored
    # By the old ciphertext too: a row that is not as it was read is left for the next time.
    as_read = place.rows().filter(pk=row.pk, **place.values(row, old))
    if not new or not as_read.update(**place.values(row, new)):
        return 0
    entry_record(
        actor=None,
        action=place.action,
        obj=place.about(row),
        reason="credentials_reseal",
        before={"key": ", ".join(sorted({key_of(text) for text in old.values()}))},
        after={"key": key_newest()},
    )
    return len(new)
