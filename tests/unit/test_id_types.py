"""One kind of id is never passed for another: the type checker refuses it, and these lines hold that it does.

Each ``type: ignore`` below silences exactly that refusal; were it gone, strict mypy (``make check``) would report the comment
as unused. The lines are never run: what they would do at run time is beside the point.
"""

from collections.abc import Callable

import pytest

from orders.adapters import store
from orders.domain.identifiers import CustomerId, OrderId, TrackingNumber

ORDER, CUSTOMER, PARCEL = OrderId("one"), CustomerId("one"), TrackingNumber("one")

SWAPS: tuple[Callable[[], object], ...] = (
    lambda: store.scans(ORDER),  # type: ignore[arg-type]
    lambda: store.order_of_parcel(CUSTOMER),  # type: ignore[arg-type]
    lambda: store.remove_scans(ORDER),  # type: ignore[arg-type]
    lambda: store.load(PARCEL),  # type: ignore[arg-type]
    lambda: store.history(CUSTOMER),  # type: ignore[arg-type]
    lambda: store.orders_of_customer(ORDER),  # type: ignore[arg-type]
    lambda: store.promised(ORDER, "key"),  # type: ignore[arg-type]
    lambda: store.load("plain text"),  # type: ignore[arg-type]
)


def test_equal_texts_of_different_kinds_lie_in_different_places() -> None:
    assert len({store.order_partition(ORDER), store.parcel_partition(PARCEL), f"CUSTOMER#{CUSTOMER}"}) == 3


@pytest.mark.parametrize("kind", [OrderId, CustomerId, TrackingNumber])
def test_an_id_is_stored_as_the_text_it_is(kind: Callable[[str], str]) -> None:
    assert type(kind("one")) is str
