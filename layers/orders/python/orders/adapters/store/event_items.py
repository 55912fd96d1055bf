"""Item mapping: audit events, markers of applied outside events, idempotency records."""

from datetime import timedelta
from typing import Any

from orders.adapters.store import keys
from orders.adapters.store.attributes import Item, as_numbers, as_texts, json_of, text_of, to_json
from orders.adapters.store.newer import named
from orders.domain import legacy
from orders.domain.digests import IdempotencyRecord, RequestDigest
from orders.domain.events import EventType, FollowUp, Signal
from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.money import Money
from orders.domain.order import Change, Event, Measures, moment, timestamp
from orders.domain.statuses import OrderStatus
from orders.domain.steps import StepName

MARKERS_KEPT = timedelta(days=90)
"""How long the marker of an applied outside event is kept: far longer than any queue or carrier repeats an event."""


def event_to_item(event: Event) -> Item:
    """An audit event as its item; ``event_from_item`` is the inverse."""
    text = {
        "kind": "event",
        "order_id": event.order_id,
        "customer_id": event.customer_id,
        "type": legacy.event_type(event.type.value),
        "exact_type": event.type.value if event.type.value not in legacy.EVENT_TYPES else None,
        "status": event.status.value,
        "old_status": event.old_status and event.old_status.value,
        "at": timestamp(event.at),
        "by": event.by,
        "reason": event.reason,
        "metadata": to_json(event.metadata) if event.metadata else None,
        "signals": to_json([[signal.value, step and step.value] for signal, step in event.signals]) if event.signals else None,
        "measures": to_json(_measures_to_json(event.measures)) if event.measures else None,
        "follow_up": event.follow_up and event.follow_up.value,
    }
    return {**keys.event_key(event.order_id, event.version), **as_texts(text), **as_numbers({"version": event.version})}


def event_from_item(item: Item) -> Event:
    """The audit event an item, or a stream record's image, holds."""
    old_status, follow_up = text_of(item, "old_status"), text_of(item, "follow_up")
    measures = json_of(item, "measures")
    return Event(
        order_id=OrderId(item["order_id"]["S"]),
        customer_id=CustomerId(item["customer_id"]["S"]),
        version=int(item["version"]["N"]),
        type=named(EventType, text_of(item, "exact_type") or item["type"]["S"]),
        status=named(OrderStatus, item["status"]["S"]),
        old_status=named(OrderStatus, old_status) if old_status else None,
        at=moment(item["at"]["S"]),
        by=item["by"]["S"],
        reason=text_of(item, "reason"),
        metadata=json_of(item, "metadata") or {},
        signals=tuple(
            (named(Signal, signal), named(StepName, step) if step else None)
            for signal, step, *_ in json_of(item, "signals") or ()
        ),
        measures=_measures_from_json(measures) if measures else None,
        follow_up=named(FollowUp, follow_up) if follow_up else None,
    )


def _measures_to_json(measures: Measures) -> list[Any]:
    steps = {step.value: seconds for step, seconds in measures.step_seconds.items()}
    return [measures.total.amount, measures.total.currency, measures.status_seconds, steps]


def _measures_from_json(row: list[Any]) -> Measures:
    amount, currency, status_seconds, steps, *_ = row
    return Measures(Money(amount, currency), status_seconds, {named(StepName, name): taken for name, taken in steps.items()})


def marker_to_item(change: Change) -> Item:
    """The marker of the outside event behind a change."""
    # Its key identifies a repetition; the id itself is the sender's text, and is not kept after an erasure.
    event_id = None if change.order.erased_at else change.marker
    text = {"kind": "marker", "order_id": change.order.order_id, "event_id": event_id}
    expires = int((change.event.at + MARKERS_KEPT).timestamp())
    key = keys.marker_key(change.order.order_id, change.marker or "")
    return {**key, **as_texts(text), **as_numbers({"expires_at_epoch": expires, "version": change.order.version})}


def idempotency_record_to_item(record: IdempotencyRecord) -> Item:
    """An idempotency record as its item; ``idempotency_record_from_item`` is the inverse."""
    digest = record.digest
    text = {
        "kind": legacy.IDEMPOTENCY_RECORD,
        "digest": digest.sent,
        "fingerprint": digest.fingerprint,
        "order_id": record.order_id,
    }
    return {**keys.idempotency_key(record.customer_id, record.key), **as_texts(text)}


def idempotency_record_from_item(customer_id: CustomerId, key: str, item: Item) -> IdempotencyRecord:
    """The idempotency record an item holds, whose key may have been erased."""
    digest = RequestDigest(text_of(item, "digest"), item["fingerprint"]["S"])
    return IdempotencyRecord(customer_id, key, digest, OrderId(item["order_id"]["S"]))
