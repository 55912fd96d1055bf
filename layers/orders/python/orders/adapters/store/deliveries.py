"""Deliveries: each event on its way to one webhook."""

from collections.abc import Iterator, Sequence
from typing import Any

from orders.adapters.store import calls, keys, newer, table
from orders.adapters.store.attributes import Item, as_numbers, as_texts, json_of, time_of, to_json, when
from orders.adapters.store.newer import named
from orders.domain.digests import CallRecord
from orders.domain.errors import NotFound
from orders.domain.order import moment, timestamp
from orders.domain.webhooks import DELIVERIES_KEPT, Attempt, Delivery, DeliveryStatus

MOST_ACTIONS = 100
"""Items that one transaction may hold."""
NEXT = "next_attempt_at"
"""The attribute that the row loses with the last attempt."""


def add(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Writes deliveries, at most ``MOST_ACTIONS``, each once; returns those to queue.

    One that was written before keeps its status, and is queued again only while no attempt was made: it may
    not have been queued then. A transaction and not a batch: only that has conditions.

    Raises:
        StoreBusy: nothing, or not all, was written; all may be written again.
    """
    fresh, unqueued = list(deliveries), list[Delivery]()
    while fresh:
        outcome = table.transact([_add_delivery(one) for one in fresh])
        if outcome.is_written:
            break
        unqueued += [fresh[place] for place, found in outcome.failed.items() if not found or _is_untried(found)]
        fresh = [one for place, one in enumerate(fresh) if place not in outcome.failed]
    return fresh + unqueued


def _add_delivery(delivery: Delivery) -> Any:
    action = table.put_action(delivery_to_item(delivery), table.IS_NEW)
    action["Put"]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return action


def _is_untried(item: Item) -> bool:
    return bool(item["tries"]["N"] == "0" and item["status"]["S"] == DeliveryStatus.PENDING.value)


def save(before: Delivery, after: Delivery, record: CallRecord | None = None) -> bool:
    """Writes a delivery's new status; ``False`` when another attempt was recorded first.

    That a try of the SDK finds what an earlier one of the same call has written is no other attempt.

    Raises:
        NewerRow: its status is one of a later release.
        KeyUsed: the key of the call that is recorded with the change was used before.
    """
    newer.refuse([before.status])
    changed = _attempted_to_item(after)
    gone = [] if NEXT in changed else [NEXT]
    key = keys.delivery_key(after.webhook_id, after.delivery_id)
    update = table.changes(key, changed, gone, "tries = :tries")
    update["ExpressionAttributeValues"] |= {":tries": {"N": str(len(before.attempts))}}
    update["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    outcome = calls.write(table.update_action(**update), record) if record else table.update(**update)
    return outcome.is_written or all(outcome.failed[0].get(name) == value for name, value in changed.items())


def load(webhook_id: str, delivery_id: str) -> Delivery:
    """One delivery.

    Raises:
        NotFound: there is none of that id (any more).
    """
    item = table.get(keys.delivery_key(webhook_id, delivery_id))
    if item is None:
        raise NotFound(f"There is no delivery {delivery_id}.")
    return delivery_from_item(item)


def newest_first(webhook_id: str, before: str | None = None, page: int = 50, *, consistent: bool = False) -> Iterator[Delivery]:
    """A webhook's deliveries, newest first, from behind the one with the id ``before`` on."""
    until = f"DELIVERY#{before}" if before else "DELIVERY#~"
    found = table.pages(
        ConsistentRead=consistent,
        KeyConditionExpression="PK = :pk AND SK BETWEEN :from AND :to",
        ExpressionAttributeValues={
            ":pk": {"S": f"WEBHOOK#{webhook_id}"},
            ":from": {"S": "DELIVERY#"},
            ":to": {"S": until},
        },
        ScanIndexForward=False,
        Limit=page,
    )
    return (delivery_from_item(item) for item in found if item["SK"]["S"] != until)


def delivery_to_item(delivery: Delivery) -> Item:
    """A delivery as its item, kept for thirty days."""
    text = {
        "kind": "delivery",
        "webhook_id": delivery.webhook_id,
        "delivery_id": delivery.delivery_id,
        "event_type": delivery.event_type,
        "payload": delivery.payload,
        "created_at": timestamp(delivery.created_at),
    }
    expires = as_numbers({"expires_at_epoch": int((delivery.created_at + DELIVERIES_KEPT).timestamp())})
    key = keys.delivery_key(delivery.webhook_id, delivery.delivery_id)
    return {**key, **as_texts(text), **_attempted_to_item(delivery), **expires}


def _attempted_to_item(delivery: Delivery) -> Item:
    """What an attempt changes of a delivery. Not its payload: an erasure may have rewritten it meanwhile."""
    attempts = [[timestamp(one.at), one.duration_ms, one.status_code, one.error] for one in delivery.attempts]
    text = {
        "status": delivery.status.value,
        "attempts": to_json(attempts),
        NEXT: when(delivery.next_attempt_at),
    }
    return {**as_texts(text), **as_numbers({"tries": len(delivery.attempts)})}


def delivery_from_item(item: Item) -> Delivery:
    """The delivery an item holds."""
    return Delivery(
        webhook_id=item["webhook_id"]["S"],
        delivery_id=item["delivery_id"]["S"],
        event_type=item["event_type"]["S"],
        payload=item["payload"]["S"],
        created_at=moment(item["created_at"]["S"]),
        status=named(DeliveryStatus, item["status"]["S"]),
        attempts=tuple(Attempt(moment(at), taken, code, error) for at, taken, code, error in json_of(item, "attempts")),
        next_attempt_at=time_of(item, NEXT),
    )
