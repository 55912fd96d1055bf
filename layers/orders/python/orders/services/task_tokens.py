"""The task tokens of the workflow's waits: an order keeps the one of the attempt that is waited for."""

from collections.abc import Callable

from orders.domain.errors import OrderChanged
from orders.domain.identifiers import OrderId
from orders.domain.order import Change, Order, Snapshot
from orders.services.changes import Clock, Decide, apply


def keep(order_id: OrderId, token: str, kept: Callable[[Order], str | None], decide: Decide, clock: Clock) -> Snapshot:
    """Keeps the token of a wait with the order, as decided, unless a later attempt may have kept its own.

    The workflow service makes another attempt where it has not heard of one, which may still be running: what that one keeps
    late nobody waits for. An attempt that finds another token, and the order changed since it began, leaves it to the next.

    Raises:
        OrderChanged: it may not be the last attempt; to be tried again.
    """
    began = clock()

    def decided(found: Snapshot) -> Change | None:
        change = decide(found)
        if change is not None and kept(found.order) not in (None, token) and found.order.updated_at > began:
            raise OrderChanged("Another attempt may have begun to wait since.")
        return change

    return apply(order_id, decided)
