"""Stacks for the black-box tests: four that run on this machine for all of them, or the one that ORDERS_URL names."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from local.stack.running import running
from tests.harness.stacks import Deployment, Served, deployed, in_this_process, serving

FULL = os.environ.get("E2E_FULL") == "1"
"""Whether races and kills run at their full size (200 orders each) rather than at the one that fits a usual test run."""


_FIGURES: list[str] = []


@pytest.fixture
def figure() -> Callable[[str], None]:
    """Takes down what was measured; it is shown when all tests are through."""
    return _FIGURES.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of this run."""
    if _FIGURES:
        terminalreporter.section("measured")
        for line in _FIGURES:
            terminalreporter.line(line)


_RUNNING: dict[tuple[str, ...], Served] = {}
"""The stacks that the files of this folder share, by their options."""
_OPEN = ExitStack()


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """They end with the last file of this folder: the tests of others follow in the same process."""
    if nextitem is None or not nextitem.path.is_relative_to(Path(__file__).parent):
        _RUNNING.clear()
        _OPEN.close()


@pytest.fixture(scope="module")
def swift() -> Iterator[Deployment]:
    """A stack without any waits."""
    yield from _stack("--payment-seconds", "0", "--preparation-seconds", "0", "--delivery-seconds", "0")


@pytest.fixture(scope="module")
def steady() -> Iterator[Deployment]:
    """A stack whose short waits leave room for others to interfere with an order. Which stage they meet is left to chance."""
    yield from _stack("--payment-seconds", "0.3", "--preparation-seconds", "0.3", "--delivery-seconds", "0.3")


@pytest.fixture(scope="module")
def patient() -> Iterator[Deployment]:
    """A stack on which a paid order stays in preparation, and a shipped one under way, until somebody moves it on."""
    yield from _stack("--payment-seconds", "0", "--preparation-seconds", "3600", "--delivery-seconds", "3600")


@pytest.fixture(scope="module")
def hasty() -> Iterator[Deployment]:
    """A stack that gives up on a review after three seconds."""
    waits = ("--payment-seconds", "0", "--preparation-seconds", "0", "--delivery-seconds", "0")
    yield from _stack(*waits, "--approval-seconds", "3")


def _stack(*options: str) -> Iterator[Deployment]:
    remote = deployed()
    if remote is not None:
        yield remote
        remote.close()
        return
    if options not in _RUNNING:
        _RUNNING[options] = _OPEN.enter_context(serving(*options))
    yield _RUNNING[options]


@pytest.fixture
def keyed() -> Iterator[tuple[Deployment, RSAPrivateKey]]:
    """A stack of this process, and the key that its issuer signs with."""
    if deployed() is not None:
        pytest.skip("needs the issuer's own key")
    with running() as inside:
        stack = in_this_process(inside)
        yield stack, inside.issuer._private
        stack.close()


@pytest.fixture
def local_swift(swift: Deployment) -> Served:
    """The stack without waits, where its books can be read."""
    return _local(swift)


@pytest.fixture
def local_hasty(hasty: Deployment) -> Served:
    """The stack that gives up on reviews soon, where its books can be read."""
    return _local(hasty)


@pytest.fixture
def local_steady(steady: Deployment) -> Served:
    """The stack with waits, where its books can be read."""
    return _local(steady)


def _local(stack: Deployment) -> Served:
    if not isinstance(stack, Served):
        pytest.skip("needs a look inside a stack on this machine")
    return stack
