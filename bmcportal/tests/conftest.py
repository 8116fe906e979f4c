"""A portal and a browser for the tests in Chromium."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from playwright.sync_api import Browser
from pytest_django import DjangoDbBlocker

from apps.accounts.models import User
from bmcportal.tests.browser import LivePortal, Visitor, chromium
from bmcportal.tests.privileges.world import World, world_build

Visit = Callable[..., Visitor]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Playwright's loop looks to Django as if this thread were asynchronous.
    with pytest.MonkeyPatch.context() as patch, chromium() as browser:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield browser


@pytest.fixture(scope="module")
def portal(django_db_setup: None, browser: Browser) -> Iterator[LivePortal]:
    portal = LivePortal()
    portal.start()
    yield portal
    portal.stop()


@pytest.fixture
def visit(portal: LivePortal, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Iterator[Visit]:
    """`visit(user, "/")`: a browser of that person, on that page. Ends without complaints."""
    visitors: list[Visitor] = []

    def start(user: User | None = None, path: str = "/", **options: Any) -> Visitor:
        visitor = Visitor(browser, portal.url, **options)
        visitors.append(visitor)
        if user is not None:
            visitor.sign_in(user)
        visitor.page.goto(path)
        return visitor

    yield start
    for visitor in visitors:
        visitor.close()
    complaints = [text for visitor in visitors for text in visitor.complaints]
    assert not complaints


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """One world for all rows: what a request does is undone before the next."""
    with django_db_blocker.unblock(), transaction.atomic():
        # Thousands of refusals, each with its traceback, are not what this is about.
        logging.disable(logging.CRITICAL)
        yield world_build()
        logging.disable(logging.NOTSET)
        transaction.set_rollback(True)
