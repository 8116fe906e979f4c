"""The columns of the server list. A column prints what came with the row, and asks nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Expression, F, OrderBy, Value
from django.db.models.functions import NullIf
from django.template.loader import get_template
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.templatetags.portal import age, icon
from apps.inventory.choices import Power
from apps.inventory.models import Server

CUSTOM: Final = "custom."
CUSTOM_KEY: Final = re.compile(r"custom\.[A-Za-z0-9_-]{1,32}")
MOST_COLUMNS: Final = 40


@dataclass(frozen=True, slots=True)
class Column:
    """`cell` returns what stands in the row; plain text is escaped by `{% cells %}`."""

    key: str
    label: str | Promise
    cell: Callable[[Server], str]
    order: Callable[[], Expression | F] | None = None
    """What the list is sorted by; None: it cannot be sorted by this."""
    also: Callable[[], Expression | F] | None = None
    """Sorts what is alike in `order`."""
    css: str = "k-more"
    is_default: bool = False
    is_fixed: bool = False
    is_worst_first: bool = False
    """The first click sorts downwards: unknown before on and off."""


def _path(name: str) -> Callable[[], Expression | F]:
    return lambda: F(name)


def _text(name: str) -> Callable[[], Expression | F]:
    """An empty text is no text: it comes last, like what is missing."""
    return lambda: NullIf(F(name), Value(""))


def _name(server: Server) -> str:
    name = conditional_escape(server.name)
    url = server.get_absolute_url()
    link = SafeString(f'<a class="bp-name" href="{url}" title="{name}">{name}</a>')
    if not server.is_protected:
        return link
    text = _("Protected: %(why)s") % {"why": server.protected_reason}
    return format_html(
        '{}<span class="bp-lock" title="{}">{}<span class="visually-hidden">{}</span></span>',
        link, text, icon("lock", "bp-icon-s"), text,
    )  # fmt: skip


def _power(server: Server) -> str:
    """Print what shared/_power.html prints; most rows without it, which takes five times as long
    (a test compares both)."""
    status = server.status
    if status.transition or status.power == Power.UNKNOWN:
        return SafeString(get_template("shared/_power.html").render({"status": status}).strip())
    html = '<span class="bp-power"><span class="bp-state is-{}">{}</span>{}</span>'
    word = Power(status.power).label
    return format_html(html, status.power, word, age(status.power_read_at))


def _cluster(server: Server) -> str:
    if server.cluster:
        return server.cluster.name
    return format_html('<span class="bp-dim">{}</span>', _("No cluster"))


def _rack(server: Server) -> str:
    if server.rack is None:
        return ""
    lowest, top = server.rack_unit, server.top_unit
    if lowest is None:
        return server.rack.name
    units = f"U{lowest}" if lowest == top else f"U{lowest}-{top}"
    return f"{server.rack.name} · {units}"


def _model(server: Server) -> str:
    return _clip(server.model)


def _clip(text: str) -> str:
    return format_html('<span class="bp-clip" title="{}">{}</span>', text, text) if text else ""


def _mono(text: str) -> str:
    return format_html('<span class="mono">{}</span>', text) if text else ""


def _tags(server: Server) -> str:
    tag = '<span class="bp-tag">{}</span>'
    return format_html_join(" ", tag, ((name,) for name in server.tag_names))


def _read(server: Server) -> str:
    if server.status.power_read_at is None:
        return format_html('<span class="bp-dim">{}</span>', _("never"))
    return age(server.status.power_read_at)


COLUMNS: Final = (
    Column(
        "name", gettext_lazy("Server"), _name, _path("name_key"), _path("name"),
        css="k-name", is_default=True, is_fixed=True,
    ),
    Column(
        "power", gettext_lazy("Power"), _power, _path("status__power"),
        css="k-power", is_default=True, is_fixed=True, is_worst_first=True,
    ),
    Column(
        "read", gettext_lazy("Last read"), _read, _path("status__power_read_at"), css="not-s nowrap"
    ),
    Column(
        "cluster", gettext_lazy("Cluster"), _cluster, _path("cluster__name"), is_default=True
    ),
    Column(
        "rack", gettext_lazy("Rack · U"), _rack, _path("rack__name"), _path("rack_unit"),
        is_default=True,
    ),
    Column(
        "model", gettext_lazy("Model"), _model, _text("model"), css="k-more k-model",
        is_default=True,
    ),
    Column(
        "bmc", gettext_lazy("BMC"), lambda server: _mono(str(server.bmc)),
        _path("bmc__address_key"), _path("bmc__port"), is_default=True,
    ),
    Column("tags", gettext_lazy("Tags"), _tags, css="k-more k-tags", is_default=True),
    Column("serial", gettext_lazy("Serial number"), lambda s: _mono(s.serial), _text("serial")),
    Column(
        "asset_tag", gettext_lazy("Asset tag"), lambda s: _mono(s.asset_tag), _text("asset_tag")
    ),
    Column(
        "site", gettext_lazy("Site"), lambda server: server.bmc.site.name, _path("bmc__site__name")
    ),
)  # fmt: skip
BY_KEY: Final = {column.key: column for column in COLUMNS}
DEFAULT_KEYS: Final = tuple(column.key for column in COLUMNS if column.is_default)
DEFAULT_SORT: Final = "name"


@dataclass(frozen=True, slots=True)
class Heading:
    """One link in the head of the table."""

    label: str | Promise
    sort: str
    """What a click sorts by; empty: the usual order."""
    direction: str = ""
    """`ascending` or `descending` where the list is sorted by it now."""


@dataclass(frozen=True, slots=True)
class Table:
    """The columns shown and the order of the rows; `params` is both as they stand in the URL."""

    columns: tuple[Column, ...]
    choice: tuple[Column, ...]
    """Every column there is, in the order in which they are shown."""
    sort: str
    left_out: list[str] = field(default_factory=list)

    @property
    def params(self) -> dict[str, str]:
        shown = {}
        if self.sort != DEFAULT_SORT:
            shown["sort"] = self.sort
        if self.keys != DEFAULT_KEYS:
            shown["columns"] = ",".join(self.keys)
        return shown

    @property
    def is_chosen(self) -> bool:
        """Not the usual columns: none hides on small screens, the table scrolls in its card."""
        return self.keys != DEFAULT_KEYS

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(column.key for column in self.columns)

    def ordering(self) -> list[OrderBy]:
        """Return the order: by the column, empty values last, then by name; always the same."""
        column, is_down = BY_KEY[self.sort.removeprefix("-")], self.sort.startswith("-")
        parts = [make() for make in (column.order, column.also) if make is not None]
        # What was never read is older than anything that was.
        is_empty_first = column.key == "read" and not is_down
        ends = {"nulls_first": True} if is_empty_first else {"nulls_last": True}
        order = [OrderBy(part, descending=is_down, **ends) for part in parts]
        by_name = [OrderBy(F("name_key")), OrderBy(F("name"))]
        return order if column.key == DEFAULT_SORT else [*order, *by_name]

    def headings(self) -> list[tuple[Column, list[Heading]]]:
        """Return the links over each column; the age of a state is sorted by beside the state."""
        return [(column, list(self._links(column))) for column in self.columns]

    def _links(self, column: Column) -> Iterable[Heading]:
        if column.order is not None:
            yield self._heading(column.label, column)
        if column.key == "power":
            yield self._heading(_("Age"), BY_KEY["read"])

    def _heading(self, label: str | Promise, column: Column) -> Heading:
        up, down = column.key, f"-{column.key}"
        first, second = (down, up) if column.is_worst_first else (up, down)
        target = second if self.sort == first else first
        direction = {up: "ascending", down: "descending"}.get(self.sort, "")
        return Heading(label, "" if target == DEFAULT_SORT else target, direction)


def table_of(sort: str, keys: Iterable[str], custom_fields: Mapping[str, str]) -> Table:
    """Return the table that is asked for; `custom_fields` are labels by key.

    Columns and sorts that do not exist are told in `left_out`.
    """
    choice = (
        *COLUMNS,
        *(custom_column(CUSTOM + key, label) for key, label in custom_fields.items()),
    )
    known = {column.key for column in choice}
    wanted = list(dict.fromkeys(key for part in keys for key in part.split(",") if key))
    shown = tuple(
        column for column in choice if column.is_fixed or column.key in (wanted or DEFAULT_KEYS)
    )
    left_out = [key for key in wanted if key not in known]
    sort = sort or DEFAULT_SORT
    column = BY_KEY.get(sort.removeprefix("-"))
    if column is None or column.order is None:
        left_out.append(sort)
        sort = DEFAULT_SORT
    return Table(shown, choice, sort, left_out)


def columns_named(keys: Iterable[str]) -> tuple[Column, ...]:
    """Return the columns of these keys, for rows without a head; unknown ones are left out.

    A custom field's values stand in the row: its definition is not asked for.
    """
    wanted = list(keys)
    custom = [custom_column(key, key) for key in wanted if CUSTOM_KEY.fullmatch(key)]
    shown = [column for column in COLUMNS if column.is_fixed or column.key in wanted]
    return (*shown, *custom)


def custom_column(key: str, label: str) -> Column:
    return Column(key, label, lambda server: _custom(server.custom_fields.get(key[len(CUSTOM) :])))


def _custom(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, (int, float)):
        return number_format(value, use_l10n=True)
    return _clip(str(value))
