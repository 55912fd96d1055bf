"""The simulator's own tests (``simulator/tests``), each file in a process of its own: there the product takes its time, its
chance and its AWS from the simulator, and no other test may find it so.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "simulator" / "tests").glob("test_*.py"))
LONGEST_REPORT = 8_000
"""Characters of a failing run, from its end."""


def test_there_are_files() -> None:
    assert FILES


@pytest.mark.parametrize("file", FILES)
def test_its_tests_pass(file: str, record_property: Callable[[str, object], None]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", "--show-capture=no", file]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("simulated: "):
            record_property("simulated", line)
    assert done.returncode == 0, done.stdout[-LONGEST_REPORT:] + done.stderr[-LONGEST_REPORT:]
