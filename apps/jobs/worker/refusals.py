"""How often a BMC refused a secret (B4): counted in memory, kept on the Bmc row for all workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

EndpointKey = tuple[str, int]


@dataclass(slots=True)
class _Count:
    key: str
    count: int
    unsaved: bool = False
    saved_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """What to write on the Bmc row. An empty key: forgiven."""

    bmc_id: int
    key: str
    count: int


class StoredRefusals:
    """The `RefusalStore` of a worker's pool. Only for the loop's thread.

    `load` adopts what the row said, unless we know something newer that is not in it yet.
    """

    def __init__(self, write: Callable[[Refusal], None]) -> None:
        self._write = write
        self._counts: dict[EndpointKey, _Count] = {}
        self._bmc_ids: dict[EndpointKey, int] = {}
        self._own_keys: dict[EndpointKey, str] = {}
        self._guests: Counter[tuple[EndpointKey, str]] = Counter()

    def load(
        self,
        endpoint_key: EndpointKey,
        *,
        bmc_id: int,
        key: str,
        count: int,
        read_at: float,
        own_key: str = "",
    ) -> None:
        """Adopt what a row says.

        :param read_at: `time.monotonic()` before the row was read.
        :param own_key: the secret the BMC is read with. Another one that somebody only tries is
            counted beside it, in memory, so that a trial makes nobody forget a refusal.
        """
        self._bmc_ids[endpoint_key] = bmc_id
        self._own_keys[endpoint_key] = own_key
        known = self._counts.get(endpoint_key)
        is_newer = known is not None and (known.unsaved or known.saved_at > read_at)
        if not is_newer:
            self._counts[endpoint_key] = _Count(key, count)

    def saved(self, refusal: Refusal) -> None:
        """The row has it now."""
        for endpoint_key, bmc_id in self._bmc_ids.items():
            known = self._counts.get(endpoint_key)
            if bmc_id == refusal.bmc_id and known and known.count == refusal.count:
                known.unsaved, known.saved_at = False, monotonic()

    # ------------------------------------------------------------ for the pool

    def _is_guest(self, endpoint_key: EndpointKey, credential_key: str) -> bool:
        return self._own_keys.get(endpoint_key, "") not in ("", credential_key)

    def count(self, endpoint_key: EndpointKey, credential_key: str) -> int:
        if self._is_guest(endpoint_key, credential_key):
            return self._guests[endpoint_key, credential_key]
        known = self._counts.get(endpoint_key)
        return known.count if known and known.key == credential_key else 0

    def record(self, endpoint_key: EndpointKey, credential_key: str) -> None:
        count = self.count(endpoint_key, credential_key) + 1
        if self._is_guest(endpoint_key, credential_key):
            self._guests[endpoint_key, credential_key] = count
            return
        self._keep(endpoint_key, credential_key, count)

    def forget(self, endpoint_key: EndpointKey) -> None:
        if endpoint_key in self._counts and self._counts[endpoint_key].count:
            self._keep(endpoint_key, "", 0)

    def _keep(self, endpoint_key: EndpointKey, key: str, count: int) -> None:
        bmc_id = self._bmc_ids.get(endpoint_key)
        self._counts[endpoint_key] = _Count(key, count, unsaved=bmc_id is not None)
        if bmc_id is not None:
            self._write(Refusal(bmc_id, key, count))
