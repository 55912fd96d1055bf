"""The status table is exactly the contract's: written out here a second time, so that a slip shows."""

import pytest

from orders.domain.statuses import (
    CANCELLABLE,
    DEPRECATED_NAMES,
    PAYMENT_TRANSITIONS,
    RETURNABLE,
    SCAN_MEANS,
    SHIPMENT_RANK,
    SHIPMENT_TRANSITIONS,
    STEPS,
    TERMINAL,
    TRANSITIONS,
    CancelReason,
    OrderStatus,
    OverallStatus,
    PaymentMethod,
    PaymentStatus,
    ShipmentStatus,
    StepStatus,
    has_reached,
    may_become,
)

CONTRACT = {
    "PENDING": {"CONFIRMED", "PROCESSING", "CANCELLED"},
    "CONFIRMED": {"PROCESSING", "CANCELLED"},
    "PROCESSING": {"SHIPPED", "CANCELLED"},
    "SHIPPED": {"DELIVERED", "RETURNED"},
    "DELIVERED": {"RETURNED"},
    "CANCELLED": set(),
    "RETURNED": set(),
}


@pytest.mark.parametrize("current", OrderStatus)
@pytest.mark.parametrize("wanted", OrderStatus)
def test_an_order_may_become_what_the_contract_says_and_nothing_else(current: OrderStatus, wanted: OrderStatus) -> None:
    assert may_become(current, wanted) is (wanted.value in CONTRACT[current.value])


def test_the_table_knows_every_status() -> None:
    assert set(TRANSITIONS) == set(OrderStatus)
    assert {status.value for status in OrderStatus} == set(CONTRACT)


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


def test_a_payment_goes_one_way() -> None:
    assert {status.value: {following.value for following in allowed} for status, allowed in PAYMENT_TRANSITIONS.items()} == {
        "PENDING": {"PROCESSING"},
        "PROCESSING": {"COMPLETED", "FAILED"},
        "COMPLETED": {"REFUNDED"},
        "FAILED": set(),
        "REFUNDED": set(),
    }


def test_the_old_names_mean_what_they_meant() -> None:
    assert {name: status.value for name, status in DEPRECATED_NAMES.items()} == {"PAID": "PROCESSING", "COMPLETED": "DELIVERED"}
    assert not set(DEPRECATED_NAMES) & set(OrderStatus)


def test_every_word_of_the_contract_has_its_name_here() -> None:
    assert {str(method) for method in PaymentMethod} == {"CREDIT_CARD", "BANK_TRANSFER", "DIGITAL_WALLET", "CASH_ON_DELIVERY"}
    assert {str(status) for status in PaymentStatus} == {"PENDING", "PROCESSING", "COMPLETED", "FAILED", "REFUNDED"}
    assert {str(status) for status in ShipmentStatus} == {
        *("CREATED", "IN_TRANSIT", "OUT_FOR_DELIVERY", "DELIVERED", "AVAILABLE_FOR_PICKUP", "ATTEMPTED"),
        *("FAILED", "LOST", "RETURNING", "RETURNED_TO_SENDER"),
    }
    assert {str(reason) for reason in CancelReason} == {
        *("customer", "staff", "payment_failed", "approval_rejected", "approval_timeout"),
        *("out_of_stock", "shipping_failed", "expired"),
    }
    assert {str(status) for status in StepStatus} == {
        *("PENDING", "IN_PROGRESS", "COMPLETED", "FAILED", "COMPENSATING", "COMPENSATED", "SKIPPED")
    }
    assert {str(status) for status in OverallStatus} == {
        *("QUEUED", "IN_PROGRESS", "COMPLETED", "FAILED", "ROLLING_BACK", "ROLLED_BACK")
    }
    assert [str(step) for step in STEPS] == [
        *("Inventory Reservation", "Manual Review", "Payment Processing", "Shipping Arrangement", "Delivery")
    ]


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
