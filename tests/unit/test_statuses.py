"""The statuses, and what may follow each, are those that ``docs/behavior.md#statuses`` promises."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

import pytest

from orders.domain.statuses import (
    CANCELLABLE,
    DEPRECATED_NAMES,
    PAYMENT_TRANSITIONS,
    REFUND_TRANSITIONS,
    RETURN_TRANSITIONS,
    RETURNABLE,
    SCAN_MEANS,
    SHIPMENT_RANK,
    SHIPMENT_TRANSITIONS,
    TERMINAL,
    TRANSITIONS,
    OrderStatus,
    OverallStatus,
    PaymentMethod,
    ShipmentStatus,
    StepStatus,
    has_reached,
    may_become,
)
from orders.domain.steps import STEPS, CancelReason
from orders.services.stuck import STUCK_STATUSES
from tests.harness import behavior

PROMISED = behavior.transitions("statuses")


@pytest.mark.parametrize("current", OrderStatus)
@pytest.mark.parametrize("wanted", OrderStatus)
def test_an_order_may_become_what_is_promised_and_nothing_else(current: OrderStatus, wanted: OrderStatus) -> None:
    assert may_become(current, wanted) is (wanted.value in PROMISED[current.value])


def test_the_table_knows_every_status() -> None:
    assert set(TRANSITIONS) == set(OrderStatus)
    assert {status.value for status in OrderStatus} == set(PROMISED)


@pytest.mark.parametrize(
    ("anchor", "table"),
    [
        ("payment-statuses", PAYMENT_TRANSITIONS),
        ("shipment-statuses", SHIPMENT_TRANSITIONS),
        ("refunds", REFUND_TRANSITIONS),
        ("return-statuses", RETURN_TRANSITIONS),
    ],
)
def test_payments_parcels_refunds_and_returns_may_become_what_is_promised(
    anchor: str, table: Mapping[StrEnum, frozenset[StrEnum]]
) -> None:
    assert behavior.transitions(anchor) == {
        status.value: {following.value for following in allowed} for status, allowed in table.items()
    }


def test_cancelled_and_returned_are_final_and_nothing_else_is() -> None:
    assert {OrderStatus.CANCELLED, OrderStatus.RETURNED} == TERMINAL


def test_an_order_can_be_cancelled_until_it_is_shipped() -> None:
    assert {OrderStatus.PENDING, OrderStatus.CONFIRMED, OrderStatus.PROCESSING} == CANCELLABLE


def test_an_order_can_be_returned_once_it_is_shipped() -> None:
    assert {OrderStatus.SHIPPED, OrderStatus.DELIVERED} == RETURNABLE


def test_no_order_ever_comes_back_to_a_status_it_left() -> None:
    def reachable(status: OrderStatus) -> set[OrderStatus]:
        return set(TRANSITIONS[status]).union(*(reachable(following) for following in TRANSITIONS[status]))

    assert all(status not in reachable(status) for status in OrderStatus)


def test_the_old_names_mean_what_they_meant() -> None:
    assert {name: status.value for name, status in DEPRECATED_NAMES.items()} == {"PAID": "PROCESSING", "COMPLETED": "DELIVERED"}
    assert not set(DEPRECATED_NAMES) & set(OrderStatus)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("Methods:", PaymentMethod),
        ("Reasons:", CancelReason),
        ("A step is", StepStatus),
        ("`overall_status` is", OverallStatus),
        ("Steps, in this order:", STEPS),
    ],
)
def test_every_name_that_is_promised_is_here_and_no_other(words: str, names: Iterable[StrEnum]) -> None:
    assert behavior.listed(words) == [name.value for name in names]


def test_every_shipment_status_has_its_place_on_the_way() -> None:
    assert set(SHIPMENT_RANK) == set(SHIPMENT_TRANSITIONS) == set(SCAN_MEANS) == set(ShipmentStatus)


def test_a_parcel_that_has_turned_round_or_arrived_goes_no_other_way() -> None:
    assert SHIPMENT_TRANSITIONS[ShipmentStatus.RETURNING] == {ShipmentStatus.RETURNED_TO_SENDER}
    ends = {status for status, allowed in SHIPMENT_TRANSITIONS.items() if not allowed}
    assert ends == {ShipmentStatus.DELIVERED, ShipmentStatus.RETURNED_TO_SENDER}
    assert not any(ShipmentStatus.CREATED in allowed for allowed in SHIPMENT_TRANSITIONS.values())
    found_again = SHIPMENT_TRANSITIONS[ShipmentStatus.LOST]
    assert {ShipmentStatus.IN_TRANSIT, ShipmentStatus.DELIVERED} < found_again


@pytest.mark.parametrize("current", OrderStatus)
def test_a_status_has_reached_itself(current: OrderStatus) -> None:
    assert has_reached(current, current)


def test_a_cancelled_order_has_reached_nothing_and_a_returned_one_everything() -> None:
    assert not any(has_reached(OrderStatus.CANCELLED, wanted) for wanted in OrderStatus if wanted is not OrderStatus.CANCELLED)
    assert all(has_reached(OrderStatus.RETURNED, wanted) for wanted in CANCELLABLE | RETURNABLE)


NEVER_STUCK = {
    OrderStatus.SHIPPED: "the carrier has the parcel: the sweep follows it up when it is overdue",
    OrderStatus.DELIVERED: "nothing is left to be done",
    OrderStatus.CANCELLED: "nothing is left to be done",
    OrderStatus.RETURNED: "nothing is left to be done",
}


def test_an_order_is_watched_for_being_stuck_in_each_status_or_there_is_a_reason_not_to() -> None:
    assert set(OrderStatus) - set(STUCK_STATUSES) == set(NEVER_STUCK)
