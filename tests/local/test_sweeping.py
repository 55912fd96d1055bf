"""``orders sweep``: every open order, by as many invocations as that takes."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest

from local.cli import operate
from local.cli.place import NotPossible, Place
from local.stack.sweeping import PATIENCE, SweepTotals


def an_answer(cursor: str | None, looked_at: int = 2, **more: Any) -> dict[str, Any]:
    return {"looked_at": looked_at, "restarted": [], "failed": [], "throttled": 0, "cursor": cursor} | more


class Functions:
    """Lambda, with what the sweep returns from one invocation to the next."""

    def __init__(self, *answers: Mapping[str, Any]) -> None:
        self.answers = list(answers)
        self.events: list[Any] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == "orders-prod-sweep-orders:live"
        self.events.append(json.loads(Payload))
        answer = self.answers.pop(0)
        failed = {"FunctionError": "Unhandled"} if "errorMessage" in answer else {}
        return {"Payload": io.BytesIO(json.dumps(answer).encode()), **failed}


@pytest.fixture
def place() -> Place:
    return Place("orders-prod", "")


def on(monkeypatch: pytest.MonkeyPatch, *answers: Mapping[str, Any]) -> Functions:
    functions = Functions(*answers)
    monkeypatch.setattr(Place, "client", lambda _, service: {"lambda": functions}[service])
    return functions


def test_it_follows_the_cursor_to_the_end_and_adds_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    functions = on(
        monkeypatch,
        an_answer("c1", restarted=["a"]),
        an_answer("c2", failed=["b"], throttled=1),
        an_answer(None, restarted=["c"]),
    )
    assert operate.sweep(place) == {"looked_at": 6, "restarted": ["a", "c"], "failed": ["b"], "throttled": 1}
    assert functions.events == [{"everything": True}, *({"everything": True, "cursor": at} for at in ("c1", "c2"))]


def test_a_sweep_that_fails_says_how_far_it_came(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, an_answer("c1", restarted=["a"]), {"errorMessage": "Task timed out"})
    with pytest.raises(NotPossible, match=r"Task timed out So far: .*\"restarted\": \[\"a\"\]"):
        operate.sweep(place)


def test_one_that_comes_no_further_ends(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    functions = on(monkeypatch, *[an_answer("c1", looked_at=0, throttled=1)] * (PATIENCE + 1))
    with pytest.raises(NotPossible, match="stays busy"):
        operate.sweep(place)
    assert len(functions.events) == PATIENCE


def test_an_invocation_that_came_further_is_patience_regained() -> None:
    swept = SweepTotals()
    for _ in range(PATIENCE):
        for looked_at in (*[0] * (PATIENCE - 1), 1):
            assert swept.goes_on
            swept.add(an_answer("c", looked_at))
    swept.add(an_answer(None))
    assert not swept.goes_on
    assert "error" not in swept.result
