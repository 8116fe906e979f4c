"""The states of a session and the one table of legal moves."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class SessionState(StrEnum):
    CLOSED = "closed"
    OPENING = "opening"
    RAKP1 = "rakp1"
    RAKP3 = "rakp3"
    RAISING_PRIVILEGE = "raising_privilege"
    OPEN = "open"
    CLOSING = "closing"
    FAILED = "failed"


_S = SessionState

LEGAL_MOVES: Final[dict[SessionState, frozenset[SessionState]]] = {
    _S.CLOSED: frozenset({_S.OPENING}),
    # A lost packet starts again from Open Session: a re-sent RAKP can kill the half-open one.
    _S.OPENING: frozenset({_S.OPENING, _S.RAKP1, _S.FAILED}),
    _S.RAKP1: frozenset({_S.OPENING, _S.RAKP3, _S.FAILED}),
    _S.RAKP3: frozenset({_S.OPENING, _S.RAISING_PRIVILEGE, _S.FAILED}),
    _S.RAISING_PRIVILEGE: frozenset({_S.OPEN, _S.FAILED}),
    _S.OPEN: frozenset({_S.CLOSING, _S.FAILED}),
    _S.CLOSING: frozenset({_S.CLOSED, _S.FAILED}),
    _S.FAILED: frozenset(),
}

LOGGING_IN: Final = frozenset({_S.OPENING, _S.RAKP1, _S.RAKP3, _S.RAISING_PRIVILEGE})
"""A handshake is in progress."""

SEALED: Final = frozenset({_S.RAISING_PRIVILEGE, _S.OPEN, _S.CLOSING})
"""The keys exist: only sealed datagrams are listened to."""


class IllegalMoveError(RuntimeError):
    """A bug of ours: the state machine was asked for a move that the table does not have."""
