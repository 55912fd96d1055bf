"""One kind of id is never passed for another: the type checker refuses it, and these lines hold that it does.

Each ``type: ignore`` below silences exactly that refusal; were it gone, strict mypy (``make check``) would report the comment
as unused. The lines are never run: what they would do at run time is beside the point.
"""

from collections.abc import Callable

import pytest

from orders.adapters.store import indexes, keys, orders, scans
from orders.domain.identifiers import CustomerId, OrderId, TrackingNumber

ORDER, CUSTOMER, PARCEL = OrderId("one"), CustomerId("one"), TrackingNumber("one")

SWAPS: tuple[Callable[[], object], ...] = (
    lambda: scans.of_parcel(ORDER),  # type: ignore[arg-type]
    lambda: scans.orders_of_parcel(CUSTOMER),  # type: ignore[arg-type]
    lambda: scans.remove_scans(ORDER),  # type: ignore[arg-type]
    lambda: orders.load(PARCEL),  # type: ignore[arg-type]
    lambda: orders.history(CUSTOMER),  # type: ignore[arg-type]
    lambda: indexes.orders_of_customer(ORDER),  # type: ignore[arg-type]
    lambda: orders.idempotency_record(ORDER, "key"),  # type: ignore[arg-type]
    lambda: orders.load("plain text"),  # type: ignore[arg-type]
)


def test_equal_texts_of_different_kinds_lie_in_different_places() -> None:
    assert len({keys.order_partition(ORDER), keys.parcel_partition(PARCEL), f"CUSTOMER#{CUSTOMER}"}) == 3


@pytest.mark.parametrize("kind", [OrderId, CustomerId, TrackingNumber])
def test_an_id_is_stored_as_the_text_it_is(kind: Callable[[str], str]) -> None:
    assert type(kind("one")) is str
