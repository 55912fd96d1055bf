"""A table at its limit: it answers a part of what is asked for, and leaves the rest for another time."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from orders.adapters import pauses
from orders.adapters.store import catalog, table
from orders.domain.errors import StoreBusy

PRODUCTS = [f"prod-{number:03d}" for number in range(130)]


class BusyTable:
    """Answers at most so many items a call."""

    def __init__(self, most: Sequence[int]) -> None:
        self.most = list(most)
        self.asked: list[int] = []

    def batch_get_item(self, *, RequestItems: Any) -> dict[str, Any]:  # noqa: N803
        ((table, wanted),) = RequestItems.items()
        keys, most = wanted["Keys"], self.most.pop(0)
        self.asked.append(len(keys))
        left = {table: {"Keys": keys[most:], "ConsistentRead": True}} if keys[most:] else {}
        return {"Responses": {table: [self._product(key) for key in keys[:most]]}, "UnprocessedKeys": left}

    def _product(self, key: Any) -> dict[str, Any]:
        product_id = key["PK"]["S"].removeprefix("PRODUCT#")
        texts = {"product_id": product_id, "name": "Cup", "currency": "USD"}
        return {**key, **{name: {"S": text} for name, text in texts.items()}, "amount": {"N": "1"}, "stock": {"N": "1"}}


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    monkeypatch.setenv("TABLE_NAME", "table")
    before: list[int] = []
    monkeypatch.setattr(table, "pause", before.append)
    return before


def busy(monkeypatch: pytest.MonkeyPatch, *most: int) -> BusyTable:
    fake = BusyTable(most)
    monkeypatch.setattr(table, "client", lambda: fake)
    return fake


def test_what_the_table_left_out_is_asked_for_again_after_ever_longer_pauses(
    monkeypatch: pytest.MonkeyPatch, paused: list[int]
) -> None:
    fake = busy(monkeypatch, 60, 0, 40, 20, 10)
    assert sorted(catalog.products(PRODUCTS)) == PRODUCTS
    assert fake.asked == [100, 40, 40, 30, 10], "each batch to its end, and only what is left of it"
    assert paused == [0, 1, 0]


def test_a_table_that_keeps_leaving_something_out_is_busy_in_the_end(
    monkeypatch: pytest.MonkeyPatch, paused: list[int]
) -> None:
    fake = busy(monkeypatch, *[15] * 100)
    with pytest.raises(StoreBusy):
        catalog.products(PRODUCTS)
    assert fake.asked == [100, 85, 70, 55, 40, 25]
    assert paused == [0, 1, 2, 3, 4], "nobody waits behind the last attempt"


def test_pauses_grow_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(pauses, "time", SimpleNamespace(sleep=waited.append))
    for attempt in range(pauses.ATTEMPTS - 1):
        for chance in (0.999, 0.25):
            monkeypatch.setattr(pauses, "random", SimpleNamespace(random=lambda chance=chance: chance))
            pauses.pause(attempt)
    most, least = waited[::2], waited[1::2]
    assert most == sorted(set(most))
    assert all(short < long for short, long in zip(least, most, strict=True))
    assert sum(most) < 0.5
