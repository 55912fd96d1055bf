"""Webhook subscriptions."""

from collections.abc import Callable, Iterator
from datetime import datetime

from orders.adapters.store import calls, keys, newer, table
from orders.adapters.store.attributes import Item, as_texts, besides, json_of, time_from, to_json, when
from orders.adapters.store.newer import named
from orders.domain.digests import CallRecord
from orders.domain.errors import AlreadyExists, NotFound, OrderChanged
from orders.domain.order import moment, timestamp
from orders.domain.webhooks import DELIVERIES_KEPT, Secret, Webhook, WebhookStatus

WEBHOOKS, REMOVED_WEBHOOKS = "WEBHOOKS", "REMOVED_WEBHOOKS"
"""The index's partitions of the subscriptions, and of those that have ended but whose deliveries are still kept."""


def add(webhook: Webhook, record: CallRecord | None = None) -> None:
    """Adds a subscription, whose id is new, with the record of the call.

    A transaction in either case: the SDK repeats a call whose response was lost, and DynamoDB knows the repetition by its
    token. A write of one item would be refused by what it had written itself.

    Raises:
        AlreadyExists: the id is taken.
        KeyUsed: the key of the call was used before.
    """
    new = table.put_action(webhook_to_item(webhook), table.IS_NEW)
    outcome = calls.write(new, record) if record else table.transact([new])
    if not outcome.is_written:
        raise AlreadyExists(f"Webhook {webhook.webhook_id} exists already.") from outcome.error


def change(webhook_id: str, changed: Callable[[Webhook], Webhook], record: CallRecord | None = None) -> Webhook:
    """Changes a subscription as it is now; a writer that loses against another change reloads and tries again.

    Raises:
        KeyUsed: the key of the call that is recorded with the change was used before.
        NotFound: there is no such subscription (any more).
        NewerRow: its status is one of a later release.
        OrderChanged: it changed during every try.
    """
    for _ in range(5):
        item = _webhook_item(webhook_id)
        before = webhook_from_item(item)
        newer.refuse([before.status])
        after = changed(before)
        if after == before:
            return after
        document = webhook_to_item(after)["document"]
        update = table.changes(keys.webhook_key(webhook_id), {"document": document}, (), "document = :before")
        update["ExpressionAttributeValues"] |= {":before": item["document"]}
        outcome = calls.write(table.update_action(**update), record) if record else table.update(**update)
        if outcome.is_written:
            return after
    raise OrderChanged(f"Webhook {webhook_id} changed during every try.")


def load(webhook_id: str) -> Webhook:
    """One subscription.

    Raises:
        NotFound: there is none of that id.
    """
    return webhook_from_item(_webhook_item(webhook_id))


def _webhook_item(webhook_id: str) -> Item:
    item = table.get(keys.webhook_key(webhook_id))
    if item is None or "document" not in item:
        raise NotFound(f"There is no webhook {webhook_id}.")
    return item


def load_all() -> list[Webhook]:
    """All subscriptions, the oldest first."""
    wanted = [keys.webhook_key(webhook_id) for webhook_id in _ids_in(WEBHOOKS)]
    items = {item["PK"]["S"]: item for item in table.batch_get(wanted) if "document" in item}
    return sorted(map(webhook_from_item, items.values()), key=lambda found: found.webhook_id)


def ids() -> Iterator[str]:
    """The ids of all subscriptions whose deliveries are still kept, those that have ended included."""
    yield from _ids_in(WEBHOOKS)
    yield from _ids_in(REMOVED_WEBHOOKS)


def _ids_in(partition: str) -> Iterator[str]:
    entries = table.pages(
        IndexName=keys.BY_KEY,
        KeyConditionExpression="GSI1PK = :pk",
        ExpressionAttributeValues={":pk": {"S": partition}},
    )
    return (str(found["PK"]["S"]).removeprefix("WEBHOOK#") for found in entries)


def remove(webhook_id: str, now: datetime) -> None:
    """Ends a subscription; a delivery that is still pending is dropped when it comes up.

    Its id stays for as long as its deliveries do, without its address and its secrets: an erasure has to find them.

    Raises:
        NotFound: there is none of that id.
    """
    outcome = table.update(
        Key=keys.webhook_key(webhook_id),
        UpdateExpression="SET GSI1PK = :removed, expires_at_epoch = :expires REMOVE document",
        ConditionExpression="attribute_exists(document)",
        ExpressionAttributeValues={
            ":removed": {"S": REMOVED_WEBHOOKS},
            ":expires": {"N": str(int((now + 2 * DELIVERIES_KEPT).timestamp()))},
        },
    )
    if not outcome.is_written:
        raise NotFound(f"There is no webhook {webhook_id}.") from outcome.error


def webhook_to_item(webhook: Webhook) -> Item:
    """A subscription as its item, secrets included: the table is encrypted, and no view or stream consumer reads it."""
    document = {
        "url": webhook.url,
        "events": list(webhook.events),
        "secrets": [[secret.text, when(secret.until)] for secret in webhook.secrets],
        "created_at": timestamp(webhook.created_at),
        "status": webhook.status.value,
        "failing_since": when(webhook.failing_since),
        "disabled_reason": webhook.disabled_reason,
    }
    document |= webhook.unknown
    text = {
        "kind": "webhook",
        "webhook_id": webhook.webhook_id,
        "document": to_json(document),
        "GSI1PK": WEBHOOKS,
        "GSI1SK": webhook.webhook_id,
    }
    return {**keys.webhook_key(webhook.webhook_id), **as_texts(text)}


_WEBHOOK = {"url", "events", "secrets", "created_at", "status", "failing_since", "disabled_reason"}


def webhook_from_item(item: Item) -> Webhook:
    """The subscription an item holds."""
    document = json_of(item, "document")
    return Webhook(
        webhook_id=item["webhook_id"]["S"],
        url=document["url"],
        events=tuple(document["events"]),
        secrets=tuple(Secret(text, time_from(until)) for text, until in document["secrets"]),
        created_at=moment(document["created_at"]),
        status=named(WebhookStatus, document["status"]),
        failing_since=time_from(document["failing_since"]),
        disabled_reason=document["disabled_reason"],
        unknown=besides(document, _WEBHOOK),
    )
