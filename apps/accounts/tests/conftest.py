from __future__ import annotations

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.accounts.tests.second_factor import enter
from apps.clusters.choices import Role
from apps.core.testing import make_user


@pytest.fixture
def anna(db: None) -> User:
    return make_user("anna", Role.ADMIN)


@pytest.fixture
def at_home(client: Client, anna: User) -> Client:
    """Anna's browser, just signed in with her password."""
    enter(client)
    return client
