"""``orders sweep``: every open order, by as many invocations as that takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from local.cli import operate
from local.cli.place import NotPossible, Place
from local.stack.sweeping import PATIENCE, SweepTotals
from tests.harness.fakes import FakeLambda


def an_answer(cursor: str | None, looked_at: int = 2, **more: Any) -> dict[str, Any]:
    return {"looked_at": looked_at, "restarted": [], "failed": [], "throttled": 0, "cursor": cursor} | more


@pytest.fixture
def place() -> Place:
    return Place("orders-prod", "")


def on(monkeypatch: pytest.MonkeyPatch, *answers: Mapping[str, Any]) -> FakeLambda:
    functions = FakeLambda(*answers)
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
    asked = [{"everything": True}, *({"everything": True, "cursor": at} for at in ("c1", "c2"))]
    assert functions.invoked == [("orders-prod-sweep-orders:live", payload) for payload in asked]


def test_a_sweep_that_fails_says_how_far_it_came(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, an_answer("c1", restarted=["a"]), {"errorMessage": "Task timed out"})
    with pytest.raises(NotPossible, match=r"Task timed out So far: .*\"restarted\": \[\"a\"\]"):
        operate.sweep(place)


def test_one_that_comes_no_further_ends(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    functions = on(monkeypatch, *[an_answer("c1", looked_at=0, throttled=1)] * (PATIENCE + 1))
    with pytest.raises(NotPossible, match="stays busy"):
        operate.sweep(place)
    assert len(functions.invoked) == PATIENCE


def test_an_invocation_that_came_further_is_patience_regained() -> None:
    swept = SweepTotals()
    for _ in range(PATIENCE):
        for looked_at in (*[0] * (PATIENCE - 1), 1):
            assert swept.goes_on
            swept.add(an_answer("c", looked_at))
    swept.add(an_answer(None))
    assert not swept.goes_on
    assert "error" not in swept.result
