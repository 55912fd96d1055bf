"""Short storms: orders under faults at every seam, killed once, and every book right to the unit at the end.

``make chaos`` runs longer ones; a seed that fails there is repeated with ``python -m tests.chaos --first SEED``.
"""

import subprocess
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.chaos import storm as storms
from tests.chaos.storm import Report, storm
from tests.harness.stacks import deployed

pytestmark = pytest.mark.skipif(deployed() is not None, reason="only a stack on this machine may be broken on purpose")


STORMS = [(1, 0), (7, 0), (2, 1)]


@pytest.fixture(scope="module")
def over() -> dict[int, Future[Report]]:
    """All storms, at the same time: each has a stack of its own, and waits for it most of the time."""
    with ThreadPoolExecutor(len(STORMS)) as threads:
        return {seed: threads.submit(storm, seed, orders=30, kills=kills) for seed, kills in STORMS}


@pytest.mark.parametrize(("seed", "kills"), STORMS)
def test_every_book_is_right_after_the_storm(over: dict[int, Future[Report]], seed: int, kills: int) -> None:
    report = over[seed].result()
    assert (report.errors, report.kills) == ([], kills), f"seed {seed}, faults: {dict(report.faults)}"
    assert sum(report.faults.values()) > 30
    assert sum(report.statuses.values()) == 30


def test_a_storm_that_breaks_off_leaves_nothing_running(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []

    class Noted(subprocess.Popen[str]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    def break_off(*_: object) -> None:
        raise RuntimeError("something unforeseen")

    monkeypatch.setattr(subprocess, "Popen", Noted)
    monkeypatch.setattr(storms, "_wait_for", break_off)
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="something unforeseen"):
        storm(3, orders=1000, kills=1)
    (stack,) = started
    assert stack.returncode is not None
    assert threading.active_count() == before
