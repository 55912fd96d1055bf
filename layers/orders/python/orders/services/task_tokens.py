"""The task tokens of the workflow's waits: an order keeps the one of the attempt that is waited for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from orders.domain.errors import OrderChanged
from orders.domain.identifiers import OrderId
from orders.domain.order import Change, Order, Snapshot
from orders.services.changes import Clock, Decide, apply


@dataclass(frozen=True)
class Attempt:
    """An attempt of the workflow to wait: its task token, the run that it belongs to (``None``: any), and when it began."""

    token: str
    run: int | None
    began: datetime

    def token_for(self, order: Order) -> str | None:
        """Its token, unless another run processes the order: nothing waits for it then."""
        return self.token if self.run in (None, order.run) else None

    def check_latest(self, kept: str | None, order: Order) -> None:
        """Refuses to replace the token that the order has kept where a later attempt may have kept it.

        Raises:
            OrderChanged: it may not be the last attempt; to be tried again.
        """
        if kept not in (None, self.token) and order.updated_at > self.began:
            raise OrderChanged("Another attempt may have begun to wait since.")


def keep(order_id: OrderId, token: str, kept: Callable[[Order], str | None], decide: Decide, clock: Clock) -> Snapshot:
    """Keeps the token of a wait with the order, as decided, unless a later attempt may have kept its own.

    The workflow service makes another attempt where it has not heard of one, which may still be running: what that one keeps
    late nobody waits for. An attempt that finds another token, and the order changed since it began, leaves it to the next.

    Raises:
        OrderChanged: it may not be the last attempt; to be tried again.
    """
    attempt = Attempt(token, None, clock())

    def decided(found: Snapshot) -> Change | None:
        change = decide(found)
        if change is not None:
            attempt.check_latest(kept(found.order), found.order)
        return change

    return apply(order_id, decided)
