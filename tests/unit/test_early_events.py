"""News that is quicker than the workflow: what the workflow's step finds, and what it still has to keep."""

from dataclasses import replace

from orders.domain.decisions import shipping
from orders.domain.events import EventType
from orders.domain.identifiers import TrackingNumber
from orders.domain.statuses import OrderStatus
from tests.harness.orders import Life, an_order, booked


def shipped_by_the_news() -> Life:
    """The hand-over has begun, and the news that the parcel is shipped comes before the carrier has answered."""
    life = an_order(OrderStatus.PROCESSING).start_handover()
    assert life.snapshot.shipment is not None
    life.apply(shipping.ship(life.snapshot, life.snapshot.shipment, 10, None, life.tick(), "warehouse"))
    return life


def test_the_number_a_parcel_was_booked_under_is_kept_with_the_token() -> None:
    life = shipped_by_the_news()
    change = life.apply(shipping.ship(life.snapshot, booked(life.snapshot), 10, "task-1", life.tick()))
    assert change is not None
    assert change.event.type is EventType.DELIVERY_AWAITED
    assert life.order.delivery_token == "task-1"
    assert life.snapshot.shipment is not None
    assert life.snapshot.shipment.tracking_number == "TRACK-1"


def test_a_number_that_was_booked_beside_the_warehouses_own_stands_on_the_trail() -> None:
    life = an_order(OrderStatus.PROCESSING).start_handover()
    ours = booked(life.snapshot)
    life.apply(shipping.ship(life.snapshot, replace(ours, tracking_number=TrackingNumber("THEIRS-1")), 10, None, life.tick()))
    for token in (None, "task-1"):
        noted = life.apply(shipping.ship(life.snapshot, ours, 10, token, life.tick()))
        assert noted is not None
        said = noted.event.metadata
        assert (said["tracking_number"], said["booked_tracking_number"]) == ("THEIRS-1", "TRACK-1")
    assert life.order.delivery_token == "task-1"
    assert life.snapshot.shipment is not None
    assert life.snapshot.shipment.tracking_number == "THEIRS-1"


def test_the_number_is_kept_when_even_the_delivery_was_quicker() -> None:
    life = shipped_by_the_news()
    late = booked(life.snapshot)
    life.deliver()
    life.apply(shipping.ship(life.snapshot, late, 10, "task-1", life.tick()))
    assert life.order.status is OrderStatus.DELIVERED
    assert life.snapshot.shipment is not None
    assert life.snapshot.shipment.tracking_number == "TRACK-1"
    assert shipping.ship(life.snapshot, late, 10, "task-1", life.tick()) is None


def test_a_parcel_that_somebody_else_shipped_keeps_its_own_number() -> None:
    life = shipped_by_the_news()
    other = replace(booked(life.snapshot), shipment_id="ship-2")
    life.apply(shipping.ship(life.snapshot, other, 10, "task-1", life.tick()))
    assert life.snapshot.shipment is not None
    assert life.snapshot.shipment.tracking_number is None
