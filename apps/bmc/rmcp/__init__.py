"""RMCP+ over UDP: the session engine. `wire` and `crypto` are pure; `engine` has the sockets."""

from __future__ import annotations
