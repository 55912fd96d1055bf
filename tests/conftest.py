"""What holds for every test: no outcome depends on how fast the machine is, and a run that is ended leaves nothing behind."""

import gc
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

SHARED: dict[str, tuple[str, ...]] = {
    "tests/e2e/pages": ("tests/e2e/pages/",),
    "the stacks of tests/e2e": tuple(
        f"tests/e2e/test_{name}." for name in ("access", "bad_orders", "documents", "lifecycle", "races", "responses")
    ),
}
"""Files that use the same stacks, and the same browser: one worker runs them all, so that each is started once."""

STATE = tempfile.TemporaryDirectory(prefix="orders-state-")
"""Where the stacks of these tests say that they run: the commands of whoever works here go on speaking to their own stack."""

os.environ["XDG_STATE_HOME"] = STATE.name

# An example may take as long as it likes, and so may making them: the machine may have other work.
settings.register_profile("orders", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# For another Python after this one: its words and defaults show with the first examples, if they show at all.
settings.register_profile("few", settings.get_profile("orders"), max_examples=5)
settings.load_profile("orders")


def pytest_configure() -> None:
    """SIGTERM ends a run as Ctrl-C does: fixtures stop the stacks that they have started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What is loaded by now lives to the end: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """``--dist loadfile``, with files that share as if they were one."""
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped] # noqa: PLC0415 - runs without it too

    class Scheduling(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return next((scope for scope, beginnings in SHARED.items() if file.startswith(beginnings)), file)

    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def moto_is_fast() -> Iterator[None]:
    """See ``harness.fast_moto``; loading moto takes a second, where none of the tests to run does."""
    if "moto" not in sys.modules:
        yield
        return
    from tests.harness.fast_moto import fast_moto  # noqa: PLC0415

    with fast_moto():
        yield
