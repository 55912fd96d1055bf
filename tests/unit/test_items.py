"""What is written to the table is read back as it was: every order, payment, shipment and event there can be."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from orders.adapters.store import event_items, items, keys, refund_items
from orders.domain.address import Address
from orders.domain.events import EventType, FollowUp, Signal
from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.lines import Line
from orders.domain.money import Money
from orders.domain.order import Approval, Cancellation, Event, Order, Step
from orders.domain.parcels import Shipment
from orders.domain.payment import NextAction, Payment
from orders.domain.refund import Refund, RefundedLine
from orders.domain.statuses import (
    ApprovalStatus,
    OrderStatus,
    OverallStatus,
    PaymentMethod,
    PaymentStatus,
    RefundStatus,
    ShipmentStatus,
    StepStatus,
)
from orders.domain.steps import STEPS, CancelReason, StepName
from tests.harness.orders import CUSTOMER, a_dear_order, an_order

Value = TypeVar("Value")

words = st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=30)
ids = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
versions = st.integers(1, 10**7)
# What is kept has milliseconds.
moments = st.datetimes(datetime(1970, 1, 1), datetime(9990, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda when: when.replace(microsecond=when.microsecond // 1000 * 1000)
)
amounts = st.integers(0, 10**18)
usd = amounts.map(lambda amount: Money(amount, "USD"))


def maybe(strategy: st.SearchStrategy[Value]) -> st.SearchStrategy[Value | None]:
    return st.none() | strategy


addresses = st.builds(Address, words, words, words, words, words, maybe(words))
pieces = st.integers(0, 3)
lines = st.lists(
    st.builds(Line, ids, words, st.integers(1, 10_000), usd, st.none(), st.none(), pieces, pieces, pieces, pieces),
    min_size=1,
    max_size=5,
).map(tuple)
a_step = st.tuples(st.sampled_from(StepStatus), maybe(moments), maybe(moments), maybe(words))
steps = st.tuples(*[a_step] * len(STEPS)).map(
    lambda rows: tuple(Step(name, *row) for name, row in zip(STEPS, rows, strict=True))
)
orders = st.builds(
    Order,
    order_id=ids,
    customer_id=words,
    status=st.sampled_from(OrderStatus),
    version=versions,
    lines=lines,
    total=usd,
    shipping_address=addresses,
    method=st.sampled_from(PaymentMethod),
    created_at=moments,
    updated_at=moments,
    status_since=moments,
    payment_token=maybe(words),
    steps=steps,
    overall=st.sampled_from(OverallStatus),
    cancellation=maybe(st.builds(Cancellation, st.sampled_from(CancelReason), moments, words, maybe(words))),
    approval=maybe(st.builds(Approval, st.sampled_from(ApprovalStatus), moments, maybe(words), maybe(words))),
    run=versions,
    unwind_run=st.integers(0, 99),
    due_at=maybe(moments),
    approval_token=maybe(words),
    delivery_token=maybe(words),
)


def with_sums(payment: Payment) -> Payment:
    """What was captured and given back, as its status has it."""
    whole, some = payment.amount.amount, payment.amount.amount // 2
    sums = {
        PaymentStatus.AUTHORIZED: (some, 0),
        PaymentStatus.COMPLETED: (whole, 0),
        PaymentStatus.PARTIALLY_REFUNDED: (whole, some),
        PaymentStatus.REFUNDED: (whole, whole),
    }
    captured, refunded = sums.get(payment.status, (0, 0))
    return replace(payment, amount_captured=captured, amount_refunded=refunded)


payments = st.builds(
    Payment,
    ids,
    st.sampled_from(PaymentStatus),
    usd,
    st.sampled_from(PaymentMethod),
    words,
    provider_reference=maybe(words),
    next_action=maybe(st.builds(NextAction, words, maybe(words))),
    failure_reason=maybe(words),
    created_at=maybe(moments),
    refunded_at=maybe(moments),
).map(with_sums)
refunds = st.builds(
    Refund,
    ids,
    st.sampled_from(RefundStatus),
    usd,
    moments,
    words,
    reason=maybe(words),
    items=st.lists(st.builds(RefundedLine, ids, st.integers(1, 10_000)), max_size=3).map(tuple),
    tries=st.integers(1, 99),
    due_at=maybe(moments),
    completed_at=maybe(moments),
    failure_reason=maybe(words),
)
shipments = st.builds(
    Shipment,
    ids,
    st.sampled_from(ShipmentStatus),
    words,
    tracking_number=maybe(words),
    current_location=maybe(words),
    estimated_delivery=maybe(moments),
    scanned_at=maybe(moments),
    recalled=st.booleans(),
    items=st.dictionaries(st.sampled_from("123"), st.integers(1, 9)),
    number=st.integers(1, 3),
    shipped_at=maybe(moments),
    fulfillment_id=maybe(words),
)
facts = st.dictionaries(words, st.none() | st.booleans() | st.integers() | words | st.lists(words), max_size=4)
signals = st.lists(st.tuples(st.sampled_from(Signal), maybe(st.sampled_from(StepName))), max_size=5).map(tuple)
events = st.builds(
    Event,
    order_id=ids,
    customer_id=words,
    version=versions,
    type=st.sampled_from(EventType),
    status=st.sampled_from(OrderStatus),
    old_status=maybe(st.sampled_from(OrderStatus)),
    at=moments,
    by=words,
    reason=maybe(words),
    metadata=facts,
    signals=signals,
    measures=st.none(),
    follow_up=maybe(st.sampled_from(FollowUp)),
)


def through_json(item: dict[str, Any]) -> dict[str, Any]:
    """The item as it travels: nothing but what DynamoDB's wire format holds."""
    travelled: dict[str, Any] = json.loads(json.dumps(item))
    for name, attribute in travelled.items():
        assert len(attribute) == 1, name
        assert next(iter(attribute)) in ("S", "N", "BOOL", "M", "L", "NULL"), name
        assert attribute != {"S": ""} or not name.endswith(("PK", "SK")), name
    return travelled


@given(orders)
def test_an_order_is_read_as_it_was_written(order: Order) -> None:
    assert items.order_from_item(through_json(items.order_to_item(order))) == order


@given(ids, payments)
def test_a_payment_is_read_as_it_was_written(order_id: str, payment: Payment) -> None:
    assert items.payment_from_item(through_json(items.payment_to_item(OrderId(order_id), payment))) == payment


@given(ids, refunds)
def test_a_refund_is_read_as_it_was_written(order_id: str, refund: Refund) -> None:
    assert refund_items.refund_from_item(through_json(refund_items.refund_to_item(OrderId(order_id), refund))) == refund


@given(ids, shipments)
def test_a_shipment_is_read_as_it_was_written(order_id: str, shipment: Shipment) -> None:
    assert items.shipment_from_item(through_json(items.shipment_to_item(OrderId(order_id), shipment))) == shipment


@given(events)
def test_an_event_is_read_as_it_was_written(event: Event) -> None:
    assert event_items.event_from_item(through_json(event_items.event_to_item(event))) == event


def test_every_event_of_a_life_is_read_as_it_was_written() -> None:
    for life in (an_order(OrderStatus.RETURNED).unwind(), a_dear_order().reserve().cancel().unwind()):
        for event in life.trail:
            assert event_items.event_from_item(through_json(event_items.event_to_item(event))) == event


@given(st.lists(st.tuples(ids, versions), min_size=2, max_size=2, unique=True))
def test_no_two_events_share_a_key(two: list[tuple[str, int]]) -> None:
    first, second = (keys.event_key(OrderId(order_id), version) for order_id, version in two)
    assert first != second


@given(versions, versions)
def test_events_are_kept_in_the_order_of_their_versions(one: int, other: int) -> None:
    first, second = (str(keys.event_key(OrderId("order-1"), version)["SK"]["S"]) for version in sorted((one, other)))
    assert (first < second) is (one != other)


@given(orders)
def test_only_an_order_that_somebody_has_to_look_at_stands_in_the_sweeps_index(order: Order) -> None:
    item = items.order_to_item(order)
    assert ("GSI3PK" in item) is ("GSI3SK" in item) is (order.due_at is not None)


def test_an_order_that_is_over_is_in_no_queue() -> None:
    assert "GSI3PK" not in items.order_to_item(an_order(OrderStatus.DELIVERED).order)
    assert "GSI3PK" not in items.order_to_item(an_order(OrderStatus.CANCELLED).unwind().order)


@given(st.tuples(words, words), st.tuples(words, words))
def test_no_two_customers_share_an_idempotency_key(mine: tuple[str, str], theirs: tuple[str, str]) -> None:
    one, other = (keys.idempotency_key(CustomerId(customer), key) for customer, key in (mine, theirs))
    assert (one == other) is (mine == theirs)


def test_a_customer_with_a_separator_in_the_name_is_nobody_else() -> None:
    assert keys.idempotency_key(CustomerId("a#b"), "c") != keys.idempotency_key(CustomerId("a"), "b#c")
    assert CUSTOMER in items.order_to_item(an_order().order)["GSI1PK"]["S"]
