"""A queue's messages: each is taken by one receiver at a time, comes back when that one is silent, and none is lost."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from local.engine.queue_buffer import Message, QueueBuffer


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def message(name: str, visible_at: float = 100.0) -> Message:
    return {"id": name, "sent_at": 100.0, "visible_at": visible_at, "receive_count": 0, "receipt_handle": None}


def names(messages: list[Message]) -> list[str]:
    return [str(found["id"]) for found in messages]


def test_messages_are_taken_in_their_order_and_once() -> None:
    backlog = QueueBuffer([message(name) for name in "abc"], Clock())
    assert names(backlog.take(2, 30)) == ["a", "b"]
    assert names(backlog.take(2, 30)) == ["c"]
    assert (backlog.take(2, 30), len(backlog), backlog.waiting()) == ([], 3, 0)


def test_what_is_not_deleted_comes_again_when_its_time_is_over() -> None:
    clock = Clock()
    backlog = QueueBuffer([message("a"), message("b")], clock)
    backlog.delete(backlog.take(1, 30))
    backlog.take(1, 30)
    assert backlog.next_at() == 130.0
    clock.now = 131.0
    (again,) = backlog.take(5, 30)
    assert (again["id"], again["receive_count"]) == ("b", 2)


def test_a_delayed_message_waits_for_its_time() -> None:
    clock = Clock()
    backlog = QueueBuffer((), clock)
    backlog.append(message("late", visible_at=105.0))
    assert backlog[-1]["id"] == "late"
    assert (backlog.take(1, 30), backlog.next_at()) == ([], 105.0)
    clock.now = 105.0
    assert names(backlog.take(1, 30)) == ["late"]


def test_a_time_that_the_engine_moved_in_place_counts() -> None:
    clock = Clock()
    backlog = QueueBuffer([message("a")], clock)
    (taken,) = backlog.take(1, 30)
    taken["visible_at"] = 400.0
    clock.now = 200.0
    assert backlog.take(1, 30) == []
    clock.now = 400.0
    assert names(backlog.take(1, 30)) == ["a"]


@given(st.lists(st.tuples(st.sampled_from(["put", "take", "delete", "wait"]), st.integers(1, 5)), max_size=60))
def test_none_is_lost_and_none_is_taken_by_two(steps: list[tuple[str, int]]) -> None:
    clock = Clock()
    backlog = QueueBuffer((), clock)
    out: dict[str, float] = {}
    present: set[str] = set()
    held: list[Any] = []
    for number, (what, amount) in enumerate(steps):
        if what == "put":
            backlog.append(message(str(number), clock.now + (amount - 3)))
            present.add(str(number))
        elif what == "take":
            for found in backlog.take(amount, 10):
                assert out.get(found["id"], 0.0) <= clock.now, json.dumps(found)
                out[found["id"]] = clock.now + 10
                held.append(found)
        elif what == "delete" and held:
            gone = [found for found in held[:amount] if out[found["id"]] > clock.now]
            backlog.delete(gone)
            present -= set(names(gone))
            held = held[amount:]
        else:
            clock.now += amount * 3
    assert {found["id"] for found in backlog} == present
    assert len(backlog) == len(present)


def test_a_message_whose_time_was_moved_forward_comes_then() -> None:
    clock = Clock()
    backlog = QueueBuffer([message("a"), message("b")], clock)
    first, _ = backlog.take(2, 180)
    first["visible_at"] = clock.now + 5
    backlog.moved()
    assert backlog.next_at() == clock.now + 5
    clock.now += 5
    assert names(backlog.take(2, 180)) == ["a"]
    clock.now += 175
    assert names(backlog.take(2, 180)) == ["b"]
