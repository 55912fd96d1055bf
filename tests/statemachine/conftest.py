"""Each path is walked on both engines; see ``engines``."""

from collections.abc import Iterator

import pytest

from tests.harness.aws import deployed
from tests.statemachine.engines import Engine, LocalEngine, MotoEngine, moto_engine
from tests.statemachine.shop import Shop


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


@pytest.fixture
def shop(moto: MotoEngine) -> Iterator[Shop]:
    """The deployed product behind moto's interpreter."""
    with deployed():
        yield Shop(moto)
