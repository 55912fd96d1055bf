"""One sample stack for all the tests of a process: the engine is the process's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.client import Api
from local.stack import Settings, Stack, running

SAMPLE = Path(__file__).parent / "sample"


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with running(Settings(template=SAMPLE / "template.yaml", code=[SAMPLE], seed=False)) as started:
        yield started


@pytest.fixture
def api(stack: Stack) -> Api:
    return Api(stack.url, stack.token("sue", ["support"]))


@pytest.fixture
def execution(stack: Stack) -> Callable[[str], str]:
    return lambda name: f"{stack.outputs['MachineArn'].replace(':stateMachine:', ':execution:')}:{name}"
