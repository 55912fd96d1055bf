"""A dispute of a payment: the customer's bank asks for the money back, and decides."""

from dataclasses import replace
from datetime import datetime

from orders.domain import facts, recording
from orders.domain.decisions.paying import payment_of
from orders.domain.events import PAYMENTS, EventType
from orders.domain.order import Change, Snapshot
from orders.domain.payment import Dispute


def follow(snapshot: Snapshot, said: Dispute, now: datetime) -> Change | None:
    """Records what is said of a dispute; ``None`` when that is on record, or older than what is.

    One that has been decided is not opened again. Of two disputes, one that is open is kept.
    """
    payment, known = payment_of(snapshot), payment_of(snapshot).dispute
    if known and known.dispute_id == said.dispute_id:
        if said.is_open or not known.is_open:
            return None
        said = replace(said, opened_at=min(known.opened_at, said.opened_at))
    elif known and known.is_open and not said.is_open:
        return None
    order, kind = snapshot.order, EventType.DISPUTE_OPENED if said.is_open else EventType.DISPUTE_CLOSED
    metadata = facts.of_dispute(said)
    return recording.change(order, order, kind, now, PAYMENTS, payment=replace(payment, dispute=said), metadata=metadata)
