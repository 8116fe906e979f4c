"""What Django's error pages and mails may show: where it broke, not what was in hand there."""

from __future__ import annotations

from collections.abc import ItemsView
from types import FrameType
from typing import Any

from django.db.models import Model
from django.http import HttpRequest, QueryDict
from django.views.debug import SafeExceptionReporterFilter

from bmcportal.redaction import text_clean

_HARMLESS = (bool, int, float, type(None), type, Model)


class ReportFilter(SafeExceptionReporterFilter):
    """Stricter than Django's, and in force with DEBUG as well."""

    def cleanse_setting(self, key: str | int, value: Any) -> Any:
        cleansed = super().cleanse_setting(key, value)
        return text_clean(cleansed) if isinstance(cleansed, str) else cleansed

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        """Return the names alone: what was typed into a form is nobody's business here."""
        sent = request.POST if request is not None else QueryDict()
        return dict.fromkeys(sent, self.cleansed_substitute)

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> ItemsView[str, Any]:
        """Return numbers, rows and classes; of everything else the type.

        Any text may be a password that was revealed to be used, whatever its variable is called.
        """
        return {name: _shown(value) for name, value in tb_frame.f_locals.items()}.items()


class _Type:
    """Stands for a value that is not shown."""

    def __init__(self, value: object) -> None:
        self._name = type(value).__qualname__

    def __repr__(self) -> str:
        return f"<{self._name}>"


def _shown(value: object) -> object:
    return value if isinstance(value, _HARMLESS) else _Type(value)
