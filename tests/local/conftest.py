"""One sample stack for the tests of a module: the engine is the process's, so there is one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.cli.client import Api
from local.stack.running import running
from local.stack.settings import Settings
from local.stack.stack import Stack

SAMPLE = Path(__file__).parent / "sample"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(Settings(template=SAMPLE / "template.yaml", code=[SAMPLE], seed=False)) as started:
        yield started


@pytest.fixture
def api(stack: Stack) -> Api:
    return Api(stack.url, stack.token("sue", ["support"]))


@pytest.fixture
def execution(stack: Stack) -> Callable[[str], str]:
    return lambda name: f"{stack.outputs['MachineArn'].replace(':stateMachine:', ':execution:')}:{name}"
