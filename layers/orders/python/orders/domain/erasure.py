"""What is left of an order once its customer's personal data has been erased, in what is stored and in what is written after.

Which fields go is said at the fields, and which facts of an audit event in the table of facts. Amounts, products, statuses,
times and ids stay: accounts need them.
"""

import json
from dataclasses import replace

from orders.domain import facts, personal
from orders.domain.events import CARRIER_PREFIX, FULFILLMENT
from orders.domain.order import Change, Event
from orders.domain.personal import ERASED, Privacy


def redacted(change: Change) -> Change:
    """A change of an erased order, as it may be written."""
    return replace(
        change,
        order=personal.erased(change.order),
        event=redacted_event(change.event),
        payment=personal.erased(change.payment),
        shipments=personal.erased(change.shipments),
        returns=personal.erased(change.returns),
        refunds=personal.erased(change.refunds),
    )


def redacted_event(event: Event) -> Event:
    """An audit event without its reason, and with what is not personal of its metadata."""
    by_others = event.by == FULFILLMENT or event.by.startswith(CARRIER_PREFIX)
    kept = {name: value for name, value in event.metadata.items() if facts.stays(name, value, by_others=by_others)}
    return replace(personal.erased(event), metadata=kept)


def redacted_payload(payload: str) -> str:
    """The text of a webhook's delivery without the words in it: what is personal of an event travels under its field's name."""
    sent = json.loads(payload)
    found = [name for name in personal.names(Event, frozenset({Privacy.PERSONAL})) if name in sent["data"]]
    if not found:
        return payload
    return json.dumps({**sent, "data": {**sent["data"], **dict.fromkeys(found, ERASED)}}, separators=(",", ":"))
