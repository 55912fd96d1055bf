"""What the command line says while something takes long."""

import io
import re
from threading import Event

import pytest

from local.cli.progress import saying


class Lines(io.StringIO):
    """Knows when two lines have been written."""

    def __init__(self) -> None:
        super().__init__()
        self.two = Event()

    def flush(self) -> None:
        if self.getvalue().count("\n") == 2:
            self.two.set()


def test_what_takes_long_is_said_again_and_again_until_it_is_done() -> None:
    lines = Lines()
    with saying("export", lines, first=0.001, every=0.001):
        assert lines.two.wait(60)
    told = lines.getvalue().splitlines()
    assert len(told) >= 2
    assert all(re.fullmatch(r"export: \d+ s", line) for line in told)


def test_what_is_done_at_once_says_nothing_and_a_failure_goes_on_its_way() -> None:
    lines = Lines()
    with pytest.raises(ValueError, match="broken"), saying("export", lines, first=60):
        raise ValueError("broken")
    assert lines.getvalue() == ""
