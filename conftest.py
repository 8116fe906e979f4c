"""The fixed cast of every test: five people and the cluster they meet in."""

from __future__ import annotations

from typing import Any

import pytest

from apps.clusters.choices import Role


@pytest.fixture
def web(db: None) -> Any:
    """The cluster "web", in which the cast holds its roles."""
    from apps.core.testing import make_cluster

    return make_cluster("web")


@pytest.fixture
def admin(db: None) -> Any:
    from apps.core.testing import make_user

    return make_user("admin", Role.ADMIN)


@pytest.fixture
def operator(web: Any) -> Any:
    from apps.core.testing import make_user

    return make_user("operator", Role.OPERATOR, web)


@pytest.fixture
def user(web: Any) -> Any:
    from apps.core.testing import make_user

    return make_user("user", Role.USER, web)


@pytest.fixture
def readonly(web: Any) -> Any:
    from apps.core.testing import make_user

    return make_user("readonly", Role.READONLY, web)


@pytest.fixture
def outsider(db: None) -> Any:
    """Operator of another cluster: sees nothing of "web"."""
    from apps.core.testing import make_cluster, make_user

    return make_user("outsider", Role.OPERATOR, make_cluster("elsewhere"))
