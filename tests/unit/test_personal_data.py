"""Every text that is kept of an order says at its field whether it is personal; what is goes everywhere by that mark."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, get_args, get_type_hints

import pytest

from orders.adapters.store import event_items, items, refund_items, return_items
from orders.domain import erasure, facts, personal
from orders.domain.address import Contact
from orders.domain.decisions.placing import PricedRequest
from orders.domain.events import EventType
from orders.domain.order import Approval, Cancellation, Change, Event, OrderRequest, Snapshot, timestamp
from orders.domain.parcels import TrackingDetail
from orders.domain.personal import Personal, Privacy, guarded, marks
from orders.domain.refund import Refund, RefundedLine
from orders.domain.reports import Report
from orders.domain.returns import Return, ReturnItem
from orders.domain.statuses import ApprovalStatus, OrderStatus, RefundStatus, ReturnStatus, ShipmentStatus
from orders.domain.steps import CancelReason
from orders.domain.webhooks import Delivery, Webhook
from orders.web import views
from tests.harness.orders import HOME, an_order, later

ROOTS = (Change, Snapshot, PricedRequest, OrderRequest, Report, Webhook, Delivery)
"""Whatever is stored of an order, or carries it there; what these hold is looked at as well."""

NOT_HANDED_OVER = {
    "Order.payment_token": "a credential: nobody is shown one",
    "Order.return_url": "a page of the shop's, for the customer's way back from their bank",
    "Address.unknown": "what a later release has written is for that release to hand over",
    "Step.error_message": "the same words are the reason of the event that ended the step",
}
"""What an export leaves out, and why."""


def kinds(kind: Any) -> Iterator[type]:
    """The dataclass and all that its fields hold."""
    if is_dataclass(kind) and isinstance(kind, type):
        yield kind
        for hint in get_type_hints(kind, include_extras=True).values():
            yield from kinds(hint)
    else:
        for part in get_args(kind):
            yield from kinds(part)


KINDS = sorted({kind for root in ROOTS for kind in kinds(root)}, key=lambda kind: kind.__name__)


def holds_text(hint: Any) -> bool:
    return hint in (str, bytes, Any) or any(holds_text(part) for part in get_args(hint))


def unsaid(kind: type) -> list[str]:
    """What is wrong with the marks of a dataclass, in words."""
    hints = get_type_hints(kind, include_extras=True)
    return [
        f"{kind.__name__}.{name}: a text that a person can write, and nobody says whether it is personal"
        for name, hint in hints.items()
        if name not in marks(kind) and holds_text(hint)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_text_says_whether_it_is_personal(kind: type) -> None:
    assert unsaid(kind) == []


def test_a_text_that_says_nothing_is_told() -> None:
    @guarded
    @dataclass(frozen=True, slots=True)
    class Gift:
        wish: Personal
        greeting: str | None = None
        ribbons: int = 0

    assert unsaid(Gift) == ["Gift.greeting: a text that a person can write, and nobody says whether it is personal"]


def planted(value: Any, words: dict[str, str]) -> Any:
    """The value with a word of its own in each personal field; ``words`` tells which field a word stands in."""
    if isinstance(value, tuple):
        return tuple(planted(one, words) for one in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    kind: type = type(value)
    return replace(value, **{one.name: _planted(kind, one.name, getattr(value, one.name), words) for one in fields(value)})


def _planted(kind: type, name: str, found: Any, words: dict[str, str]) -> Any:
    mark = marks(kind).get(name)
    if mark is None:
        return planted(found, words)
    if mark not in (Privacy.PERSONAL, Privacy.FORGOTTEN):
        return found
    word = words.setdefault(f"{kind.__name__}.{name}", f"pl{len(words):03d}nted")
    return {"later": word} if isinstance(found, dict) else word


def a_whole_change(words: dict[str, str]) -> Change:
    """A change of an order of which every part is there, with a word planted in each personal field."""
    snapshot = an_order(OrderStatus.SHIPPED).snapshot
    assert snapshot.payment
    assert snapshot.shipment
    order = replace(
        snapshot.order,
        status=OrderStatus.CANCELLED,
        cancellation=Cancellation(CancelReason.CUSTOMER, later(), "ada"),
        billing_address=HOME,
        contact=Contact(),
        approval=Approval(ApprovalStatus.REJECTED, later(), "grace"),
    )
    event = Event(
        order.order_id, order.customer_id, order.version, EventType.ORDER_CANCELLED, order.status, order.status, later(), "ada"
    )
    shipment = replace(snapshot.shipment, scans=(TrackingDetail(later(), ShipmentStatus.IN_TRANSIT),))
    sent_back = Return("ret-1", ReturnStatus.REQUESTED, (ReturnItem("1", 1),), "ada", later())
    refund = Refund("ref-1", RefundStatus.PENDING, order.total, later(), "grace")
    change: Change = planted(
        Change(None, order, event, snapshot.payment, (shipment,), returns=(sent_back,), refunds=(refund,)), words
    )
    noted = facts.of_addresses(change.order.shipping_address, change.order.shipping_address)
    return replace(change, event=replace(change.event, metadata=noted))


def found_in(text: str, words: dict[str, str]) -> set[str]:
    return {field for field, word in words.items() if word in text}


def stored(change: Change) -> str:
    assert change.payment
    assert change.shipments
    order_id = change.order.order_id
    rows = [
        items.order_to_item(change.order),
        items.payment_to_item(order_id, change.payment),
        *(items.shipment_to_item(order_id, shipment) for shipment in change.shipments),
        *(return_items.return_to_item(change.order, one) for one in change.returns),
        *(refund_items.refund_to_item(order_id, one) for one in change.refunds),
        event_items.event_to_item(change.event),
    ]
    return json.dumps(rows)


def test_what_is_personal_is_stored_and_goes_with_an_erasure() -> None:
    words: dict[str, str] = {}
    change = a_whole_change(words)
    assert found_in(stored(change), words) == set(words), "or a planted word proves nothing"
    assert found_in(stored(erasure.redacted(change)), words) == set()


def test_an_erasure_leaves_everything_else() -> None:
    change = a_whole_change({})
    left = erasure.redacted(change)
    assert left.order.shipping_address.country == change.order.shipping_address.country
    assert (left.order.lines, left.order.total, left.order.steps[0].status) == (
        *(change.order.lines, change.order.total),
        change.order.steps[0].status,
    )
    assert erasure.redacted(left) == left, "and nothing more when it is done again"


def test_no_repr_shows_what_is_personal_or_hidden() -> None:
    words: dict[str, str] = {}
    change = a_whole_change(words)
    whole = replace(change, order=replace(change.order, approval_token="secret-1", delivery_token="secret-2"))
    shown = f"{whole!r} {whole!s}"
    assert found_in(shown, words | {"token": "secret"}) == set()
    assert timestamp(whole.event.at)[:4] in shown


@pytest.mark.parametrize("kind", [kind for kind in KINDS if set(marks(kind).values()) - {Privacy.IMPERSONAL}])
def test_whatever_holds_something_personal_guards_its_repr(kind: type) -> None:
    assert kind.__repr__.__qualname__.startswith(guarded.__name__)


def test_an_export_hands_over_everything_personal() -> None:
    words: dict[str, str] = {}
    change = a_whole_change(words)
    snapshot = change.applied_to(Snapshot(change.order))
    history = views.history_view(change.order.order_id, [change.event], views.Audience.STAFF)
    handed_over = json.dumps([views.snapshot_view(snapshot, views.Audience.STAFF), history])
    assert found_in(handed_over, words) == set(words) - set(NOT_HANDED_OVER)


def test_a_fact_that_the_pipeline_notes_is_known_by_its_name() -> None:
    change = a_whole_change({})
    order, payment, (shipment,) = change.order, change.payment, change.shipments
    noted = [
        *(facts.of_total(order), facts.of_payment(payment), facts.of_money(order, payment), facts.of_parcel(shipment)),
        *(facts.of_scans(shipment.scans), facts.of_addresses(order.shipping_address, order.shipping_address)),
        *(facts.of_end(order, payment, CancelReason.STAFF), facts.of_steps_undone(["Delivery"]), facts.of_erasure()),
        facts.of_refunds(replace(one, items=(RefundedLine("1", 1),)) for one in change.refunds),
        *(facts.of_return(order, one) for one in change.returns),
    ]
    assert {name for part in noted for name in part} <= set(facts.FACTS)


def test_the_placeholder_is_the_same_everywhere() -> None:
    assert personal.erased(an_order().order).shipping_address.name == personal.ERASED
