"""Short storms: orders under faults at every seam, killed once, and every book right to the unit at the end.

``make chaos`` runs longer ones; a seed that fails there is repeated with ``python -m tests.chaos --first SEED``.
"""

import subprocess
import threading
from typing import Any

import pytest

from tests.chaos import storm as storms
from tests.chaos.storm import storm
from tests.harness.stacks import deployed

pytestmark = pytest.mark.skipif(deployed() is not None, reason="only a stack on this machine may be broken on purpose")


@pytest.mark.parametrize(("seed", "kills"), [(1, 0), (7, 0), (2, 1)])
def test_every_book_is_right_after_the_storm(seed: int, kills: int) -> None:
    report = storm(seed, orders=30, kills=kills)
    assert report.errors == [], f"seed {seed}, faults: {dict(report.faults)}"
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
