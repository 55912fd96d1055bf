"""What is walked on both engines. A walk takes moto's interpreter a hundred times as long as our own: every case goes our own
way, and of cases that differ in a name or a number moto is shown one for each function.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from tests.statemachine.engines import Engine


def on_both(cases: Iterable[tuple[str, Any]]) -> list[tuple[str, str, Any]]:
    """Each case, which begins with its function, on our own engine, and the first of each function on moto's too."""
    every = list(cases)
    first = {function: (function, other) for function, other in reversed(every)}
    return [*(("local", *case) for case in every), *(("moto", *case) for case in first.values())]


def some_of(engine: Engine, errors: Sequence[str]) -> Sequence[str]:
    """All of the errors that one Retry names; for moto's interpreter the first and the last."""
    return errors if engine.name == "local" else (errors[0], errors[-1])
