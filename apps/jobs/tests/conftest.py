from __future__ import annotations

import pytest

from apps.jobs.tests.stage import ScriptedPool, Stage


@pytest.fixture
def pool() -> ScriptedPool:
    return ScriptedPool()


@pytest.fixture
def stage(transactional_db: None, pool: ScriptedPool) -> Stage:
    return Stage(pool)
