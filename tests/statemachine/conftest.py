"""Each path is walked on both engines; see ``engines``."""

from collections.abc import Iterator

import pytest

from tests.statemachine.engines import Engine, LocalEngine, MotoEngine, moto_engine


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoEngine]:
    """moto's interpreter with both machines deployed."""
    with moto_engine() as engine:
        yield engine


@pytest.fixture(params=["local", "moto"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """One engine after the other."""
    if request.param == "local":
        return LocalEngine()
    found: MotoEngine = request.getfixturevalue("moto")
    return found
