"""What every app needs and none owns: no models here."""

from __future__ import annotations
