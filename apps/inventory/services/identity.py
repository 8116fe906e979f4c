"""Who answers at a BMC's address, as the BMC itself says it."""

from __future__ import annotations

from typing import Any

from django.db.models import Case, F, Value, When

from apps.bmc import Reported
from apps.inventory.models import Bmc


def identity_learn(
    *,
    bmc_id: int,
    address: str,
    port: int,
    who: Reported,
    guid: str = "",
    is_refresh: bool = False,
) -> None:
    """Keep what a BMC said of itself, where nothing was known: the record is not overwritten.

    A firmware is no identity: with `is_refresh` the present one replaces the one that was read
    before. Nothing is written when the BMC stands at another address by now.
    """
    told = {
        "vendor": who.vendor,
        "product": who.product,
        "firmware": who.firmware,
        "seen_serial": who.serial,
        "guid": guid,
    }
    columns: dict[str, Any] = {
        name: Case(When(**{name: ""}, then=Value(value)), default=F(name))
        for name, value in told.items()
        if value
    }
    if is_refresh and who.firmware:
        columns["firmware"] = who.firmware
    if columns:
        Bmc.objects.filter(pk=bmc_id, address=address, port=port).update(**columns)
