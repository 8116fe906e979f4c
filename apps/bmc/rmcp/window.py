"""The sliding window against replayed datagrams (IPMI 2.0 §6.12.13)."""

from __future__ import annotations

from typing import Final

AHEAD: Final = 16
BEHIND: Final = 15


class ReplayWindow:
    """Accepts every session sequence number once, up to 16 ahead and 15 behind the highest.

    Ask only after the signature held, or anybody could move the window.
    """

    __slots__ = ("_highest", "_seen")

    def __init__(self) -> None:
        self._highest = 0
        self._seen = 0  # bit n: highest - n was seen

    def accept(self, sequence: int) -> bool:
        """Note this number; False: seen before, too old or too far ahead, so drop the datagram."""
        if sequence <= 0:
            return False
        if not self._seen:
            # Fresh keys: nothing can be replayed yet, and not every BMC starts at 1.
            self._highest, self._seen = sequence, 1
            return True
        step = sequence - self._highest
        if step > 0:
            if step > AHEAD:
                return False
            self._seen = ((self._seen << step) | 1) & ((1 << (BEHIND + 1)) - 1)
            self._highest = sequence
            return True
        if -step > BEHIND or self._seen >> -step & 1:
            return False
        self._seen |= 1 << -step
        return True
