"""Background reading beside jobs. Upper floors register sources in `AppConfig.ready`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from apps.bmc import BmcSession, Credential, Endpoint

if TYPE_CHECKING:
    from apps.jobs.worker.access import Doorman
    from apps.jobs.worker.news import News

T = TypeVar("T")


class Sessions(Protocol):
    """What runner and sources need of a `SessionPool`."""

    def session(
        self, endpoint: Endpoint, credential: Credential, interactive: bool = False
    ) -> AbstractAsyncContextManager[BmcSession]:
        """As `SessionPool.session`."""

    async def aclose(self) -> None:
        """Log out everywhere."""


class Desk(ABC):
    """What the runner lends to a source."""

    me: str
    pool: Sessions
    doorman: Doorman
    news: News

    @abstractmethod
    def db(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Call it in a database thread."""

    @abstractmethod
    def count(self, what: str) -> None:
        """Add one to a total that `/metrics` tells."""

    @abstractmethod
    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it beside; it is cancelled when the worker stops."""


class Source(ABC):
    """Asked once a second by every bmc worker. It reads; it never sends a command."""

    name: ClassVar[str]

    @abstractmethod
    async def tick(self, desk: Desk) -> None:
        """Claim what is due, and spawn the reading of it."""


_factories: dict[str, Callable[[], Source]] = {}


def source_register(name: str, factory: Callable[[], Source]) -> None:
    """Each runner makes its own; sources may keep state."""
    _factories[name] = factory


def sources_make() -> list[Source]:
    return [factory() for factory in _factories.values()]
