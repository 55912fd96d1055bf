"""What was sent to customers by mail, with their orders; and which addresses get none any more, by a digest."""

from datetime import datetime, timedelta

from orders.adapters.store import keys, table
from orders.adapters.store.attributes import Item, as_numbers, as_texts, text_of
from orders.adapters.store.newer import named
from orders.domain.identifiers import OrderId
from orders.domain.mails import Mail, MailKind, MailStatus, Suppression
from orders.domain.order import moment, timestamp

KEPT = timedelta(days=365)


def keep(order_id: OrderId, mail: Mail) -> None:
    """Writes a mail, which may have been tried before."""
    text = {
        "kind": "mail",
        "mail": mail.kind.value,
        "status": mail.status.value,
        "at": timestamp(mail.at),
        "language": mail.language,
        "to": mail.to,
        "subject": mail.subject,
        "text": mail.text,
        "reason": mail.reason,
    }
    expires = int((mail.at + KEPT).timestamp())
    table.put({**keys.mail_key(order_id, mail.mail_id), **as_texts(text), **as_numbers({"expires_at_epoch": expires})})


def find(order_id: OrderId, mail_id: str) -> Mail | None:
    """The mail of that id, if it was sent or given up."""
    item = table.get(keys.mail_key(order_id, mail_id))
    return _from_item(item) if item else None


def of_order(order_id: OrderId) -> list[Mail]:
    """The mails about an order, oldest first."""
    return [_from_item(item) for item in _items(order_id)]


def _items(order_id: OrderId) -> list[Item]:
    found = table.pages(
        ConsistentRead=True,
        KeyConditionExpression="PK = :pk AND begins_with(SK, :mail)",
        ExpressionAttributeValues={":pk": {"S": keys.order_partition(order_id)}, ":mail": {"S": keys.MAIL_PREFIX}},
    )
    return list(found)


def _from_item(item: Item) -> Mail:
    return Mail(
        mail_id=item["SK"]["S"].removeprefix(keys.MAIL_PREFIX),
        kind=named(MailKind, item["mail"]["S"]),
        status=named(MailStatus, item["status"]["S"]),
        at=moment(item["at"]["S"]),
        language=item["language"]["S"],
        to=text_of(item, "to"),
        subject=text_of(item, "subject"),
        text=text_of(item, "text"),
        reason=text_of(item, "reason"),
    )


def remove(order_id: OrderId) -> None:
    """Removes the mails about an order: an address, a name and what was said."""
    for item in _items(order_id):
        table.delete(keys.key_of(item))


def suppress(digest: str, why: Suppression, at: datetime) -> None:
    """Records that an address gets no more mail; a bounce or a complaint is never replaced by an unsubscription."""
    item = {**keys.suppression_key(digest), **as_texts({"kind": "suppression", "reason": why.value, "at": timestamp(at)})}
    if why is Suppression.UNSUBSCRIBED and suppressed(digest):
        return
    table.put(item)


def suppressed(digest: str) -> Suppression | None:
    """Why an address gets no mail, if it gets none."""
    item = table.get(keys.suppression_key(digest))
    return Suppression(item["reason"]["S"]) if item else None
