"""When an order should be done: from the history of each step, and from the configured waits where there is none."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.domain.decisions import reviewing
from orders.domain.parcels import Shipment
from orders.domain.progress import Duration, History, estimate, running_step
from orders.domain.statuses import OrderStatus, ShipmentStatus
from orders.domain.steps import STEPS, StepName
from orders.domain.waits import Waits
from tests.harness.orders import START, WAITS, Life, a_dear_order, an_order, later

durations = st.builds(lambda mean, more: Duration(mean, mean + more), st.floats(0, 10**6), st.floats(0, 10**6))
histories = st.dictionaries(st.sampled_from(STEPS), durations)
OPEN = [OrderStatus.PENDING, OrderStatus.PROCESSING, OrderStatus.SHIPPED]


def left(life: Life, seconds: float = 0, history: History | None = None) -> float:
    now = life.order.updated_at + timedelta(seconds=seconds)
    estimated = estimate(life.order, None, history or {}, WAITS, now)
    assert estimated is not None
    return (estimated - now).total_seconds()


def test_a_new_order_takes_all_its_waits() -> None:
    assert left(an_order()) == WAITS.payment + WAITS.preparation + WAITS.delivery


def test_nobody_can_say_how_long_a_review_takes() -> None:
    life = a_dear_order()
    assert estimate(life.order, None, {}, WAITS, later()) is None
    life.reserve()
    assert estimate(life.order, None, {}, WAITS, later()) is None
    life.apply(reviewing.approve(life.snapshot, life.tick(), "grace", None))
    assert left(life) == left(an_order())


@pytest.mark.parametrize("status", [OrderStatus.PROCESSING, OrderStatus.SHIPPED])
def test_where_only_the_carrier_can_tell_the_estimate_is_the_carrier_s(status: OrderStatus) -> None:
    life = an_order(status)
    parcel = Shipment("ship-1", ShipmentStatus.IN_TRANSIT, "FedEx")
    assert estimate(life.order, None, {}, WAITS, START, timed=False) is None
    assert estimate(life.order, parcel, {}, WAITS, START, timed=False) is None, "it has said nothing yet"
    told = replace(parcel, estimated_delivery=later(3600))
    assert estimate(life.order, told, {}, WAITS, START, timed=False) == later(3600)
    assert estimate(life.order, told, {}, WAITS, later(3601), timed=False) is None, "it was not true"


def test_a_carrier_that_says_nothing_is_expected_as_it_came_before_and_nobody_knows_where_it_never_did() -> None:
    order = an_order(OrderStatus.SHIPPED).order
    began = order.step(StepName.DELIVERY).started_at
    assert began
    parcel = Shipment("ship-1", ShipmentStatus.IN_TRANSIT, "FedEx Ground")
    history = {"transit:fedex": Duration(mean=1000, p95=3000), str(StepName.DELIVERY): Duration(mean=5, p95=6)}

    def told(parcel: Shipment, seconds: float = 0) -> float | None:
        found = estimate(order, parcel, history, WAITS, began + timedelta(seconds=seconds), timed=False)
        return (found - began).total_seconds() if found else None

    assert (told(parcel), told(parcel, 2999)) == (3000, 3000)
    assert told(parcel, 3001) is None, "nobody can tell any more"
    assert told(replace(parcel, estimated_delivery=began + timedelta(hours=9))) == 9 * 3600
    assert told(replace(parcel, carrier="UPS")) is None, "it has delivered nothing so far"
    assert told(replace(parcel, carrier="Aunt Ada's bicycle")) is None
    assert told(replace(parcel, status=ShipmentStatus.AVAILABLE_FOR_PICKUP)) is None
    assert told(replace(parcel, status=ShipmentStatus.LOST)) is None
    partly = an_order(OrderStatus.PROCESSING).order
    assert estimate(partly, parcel, history, WAITS, began, timed=False) is None, "the rest is not handed over"


def test_where_a_timer_delivers_the_parcel_s_own_carrier_is_believed_more_than_all_of_them() -> None:
    life = an_order(OrderStatus.SHIPPED)
    history = {"transit:fedex": Duration(mean=20, p95=50), str(StepName.DELIVERY): Duration(mean=5, p95=6)}
    now = life.order.updated_at
    expected = [("FedEx", 50), ("UPS", 6)]
    for carrier, seconds in expected:
        parcel = Shipment("ship-1", ShipmentStatus.IN_TRANSIT, carrier)
        assert estimate(life.order, parcel, history, WAITS, now) == now + timedelta(seconds=seconds)


@pytest.mark.parametrize("status", [ShipmentStatus.LOST, ShipmentStatus.RETURNING])
@pytest.mark.parametrize("timed", [True, False])
def test_a_parcel_that_is_lost_or_on_its_way_back_is_not_expected(status: ShipmentStatus, timed: bool) -> None:
    parcel = Shipment("ship-1", status, "FedEx", estimated_delivery=later(3600))
    assert estimate(an_order(OrderStatus.SHIPPED).order, parcel, {}, WAITS, START, timed=timed) is None


def test_the_estimate_moves_as_steps_finish() -> None:
    assert left(an_order(OrderStatus.PROCESSING)) == WAITS.preparation + WAITS.delivery
    assert left(an_order(OrderStatus.SHIPPED)) == WAITS.delivery


def test_the_step_under_way_counts_for_what_is_left_of_it() -> None:
    assert left(an_order(OrderStatus.SHIPPED), seconds=4) == WAITS.delivery - 4
    assert left(an_order(OrderStatus.SHIPPED), seconds=400) == 0


def test_measured_steps_are_believed_more_than_configured_ones() -> None:
    history = {str(StepName.DELIVERY): Duration(mean=20, p95=50)}
    assert left(an_order(OrderStatus.SHIPPED), history=history) == 50
    assert left(an_order(OrderStatus.SHIPPED), seconds=30, history=history) == 20
    assert left(an_order(OrderStatus.SHIPPED), seconds=60, history=history) == 0


@pytest.mark.parametrize("status", [OrderStatus.DELIVERED, OrderStatus.CANCELLED, OrderStatus.RETURNED])
def test_an_order_that_is_over_has_no_estimate(status: OrderStatus) -> None:
    assert estimate(an_order(status).order, None, {}, WAITS, later()) is None


@given(st.sampled_from(OPEN), histories, st.floats(0, 10**7))
def test_an_estimate_is_never_in_the_past_and_never_early(status: OrderStatus, history: History, seconds: float) -> None:
    assert left(an_order(status), seconds, history) >= 0


@given(st.sampled_from(OPEN), histories)
def test_waiting_never_brings_the_end_nearer_than_it_was(status: OrderStatus, history: History) -> None:
    life = an_order(status)
    assert left(life, 10, history) + 10 >= left(life, 0, history) - 0.001


def test_waits_of_nothing_end_at_once() -> None:
    assert estimate(an_order().order, None, {}, Waits(0, 0, 0, 0, 0, 0, 0), START) == START


def test_the_step_that_is_being_undone_is_the_one_under_way() -> None:
    step = running_step(an_order(OrderStatus.PROCESSING).cancel().order)
    assert step is not None
    assert step.name is StepName.PAYMENT
