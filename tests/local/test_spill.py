"""Partitions that are put away come back as they were, and nobody who uses the dict can tell which are where."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.fastpath.spill import AT_ONCE, REAPER, Partitions

Json = Any


def partition(amount: int, expires: int | None = None) -> Json:
    item: Json = {"amount": {"N": str(amount)}, "name": {"S": f"n° {amount}"}, "tags": {"SS": ["a"]}, "raw": {"B": "AAE="}}
    return {"#": item | ({"expires": {"N": str(expires)}} if expires is not None else {})}


@pytest.fixture
def opened() -> Iterator[Callable[..., Partitions]]:
    """Makes partitions, and closes them at the end."""
    with ExitStack() as files:
        yield lambda *what, **how: files.enter_context(closing(Partitions(*what, **how)))


@pytest.fixture
def filled(opened: Callable[..., Partitions]) -> Callable[[int], Partitions]:
    """Makes so many partitions, of which hardly any are in memory."""

    def fill(count: int) -> Partitions:
        partitions = opened({}, "expires", hot=5, rested=0)
        for number in range(count):
            partitions.setdefault(f"P{number}", {}).update(partition(number))
            partitions.cool()
        return partitions

    return fill


def in_memory(partitions: Partitions) -> int:
    return dict.__len__(partitions)


def test_no_more_than_so_many_stay_in_memory_and_none_is_lost(filled: Callable[[int], Partitions]) -> None:
    partitions = filled(500)
    assert in_memory(partitions) < 5 + AT_ONCE
    assert len(partitions) == 500
    assert {pk: found["#"]["amount"]["N"] for pk, found in partitions.items()} == {f"P{n}": str(n) for n in range(500)}


def test_one_that_is_asked_for_comes_back_whole_and_can_be_changed(filled: Callable[[int], Partitions]) -> None:
    partitions = filled(100)
    assert partitions["P0"] == partition(0)
    partitions["P0"]["#"]["amount"] = {"N": "7"}
    for number in range(100, 300):
        partitions[f"P{number}"] = partition(number)
        partitions.cool()
    assert partitions.get("P0")["#"]["amount"] == {"N": "7"}


def test_what_is_in_use_stays_however_much_it_is(opened: Callable[..., Partitions]) -> None:
    partitions = opened({}, hot=5, rested=60)
    for number in range(200):
        partitions[f"P{number}"] = partition(number)
        partitions.cool()
    assert in_memory(partitions) == 200


def test_one_that_was_emptied_is_gone(filled: Callable[[int], Partitions]) -> None:
    partitions = filled(1)
    partitions["P0"].clear()
    for number in range(1, 100):
        partitions[f"P{number}"] = partition(number)
        partitions.cool()
    assert partitions.get("P0") is None


def test_the_reaper_is_shown_what_is_in_memory_and_what_has_expired_only(opened: Callable[..., Partitions]) -> None:
    partitions = opened({}, "expires", hot=5, rested=0)
    for number in range(200):
        partitions[f"P{number}"] = partition(number, 1 if number == 3 else 99_999_999_999)
        partitions.cool()
    seen: list[str] = []
    reaper = threading.Thread(target=lambda: seen.extend(pk for pk, _ in partitions.items()), name=REAPER)
    reaper.start()
    reaper.join()
    assert "P3" in seen
    assert len(seen) == in_memory(partitions) + 1


KEYS = st.sampled_from([f"P{number}" for number in range(60)])
STEPS = st.one_of(
    st.tuples(st.just("set"), KEYS, st.integers(0, 99)),
    st.tuples(st.sampled_from(["get", "in", "default", "pop", "delete", "add", "change"]), KEYS, st.integers(0, 99)),
)


def do(partitions: Any, what: str, pk: str, amount: int) -> Json:
    if what == "set":
        partitions[pk] = partition(amount)
    elif what == "delete":
        return partitions.pop(pk) if pk in partitions else None
    elif what == "change" and pk in partitions:
        partitions[pk]["#"] = partition(amount)["#"]
    elif what == "default":
        return dict(partitions.setdefault(pk, partition(amount)))
    return {"get": partitions.get(pk), "in": pk in partitions, "pop": partitions.pop(pk, None) if what == "pop" else None}


@given(st.lists(STEPS, max_size=200))
def test_it_is_a_dict_to_whoever_uses_it(steps: list[tuple[str, str, int]]) -> None:
    plain: dict[str, Json] = {}
    with closing(Partitions({}, hot=-AT_ONCE, rested=0)) as ours:
        for what, pk, amount in steps:
            assert do(ours, what, pk, amount) == do(plain, what, pk, amount)
            ours.cool()
        assert dict(ours.items()) == plain
        assert sorted(ours) == sorted(plain)
        assert len(ours) == len(plain)


def test_a_closed_one_holds_no_file_and_shows_what_is_in_memory(filled: Callable[[int], Partitions]) -> None:
    partitions = filled(100)
    kept = in_memory(partitions)
    partitions.close()
    assert len(partitions) == len(list(partitions)) == len(dict(partitions.items())) == kept
    assert partitions.get("P0") is None


def test_a_key_that_nobody_has_is_missing(filled: Callable[[int], Partitions]) -> None:
    with pytest.raises(KeyError):
        filled(50)["none"]
