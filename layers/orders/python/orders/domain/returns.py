"""A return: what is to be sent back of a delivered order, and what of it has come back."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from orders.domain.errors import ConstraintViolated, InvalidArgument, NotFound
from orders.domain.payment import Payment
from orders.domain.personal import Forgotten, Impersonal, guarded
from orders.domain.refund import Refund, is_open, of_unwinding
from orders.domain.statuses import OPEN_RETURNS, RETURN_TRANSITIONS, WITHDRAWN, Condition, ReturnStatus


@dataclass(frozen=True, slots=True)
class ReturnedPieces:
    """So many pieces of one line, as they were found when they came back."""

    line_id: Impersonal
    quantity: int
    condition: Condition


@guarded
@dataclass(frozen=True, slots=True)
class ReturnItem:
    """So many pieces of one line of the order, and how many of them have come back in each condition."""

    line_id: Impersonal
    quantity: int
    reason: Forgotten | None = None
    resellable: int = 0
    damaged: int = 0

    @property
    def received(self) -> int:
        """How many have come back."""
        return self.resellable + self.damaged

    def with_received(self, pieces: ReturnedPieces) -> "ReturnItem":
        """The item with more of its pieces back."""
        if pieces.condition is Condition.DAMAGED:
            return replace(self, damaged=self.damaged + pieces.quantity)
        return replace(self, resellable=self.resellable + pieces.quantity)


@guarded
@dataclass(frozen=True, slots=True)
class Return:
    """A return. ``decision_reason`` is what staff noted when they approved or declined it; ``note`` is its customer's.

    ``received_at`` is when something of it last came back. One that ``is_final`` has had its last receipt: what is missing
    then does not come any more.
    """

    return_id: Impersonal
    status: ReturnStatus
    items: tuple[ReturnItem, ...]
    requested_by: Impersonal
    created_at: datetime
    note: Forgotten | None = None
    decided_by: Impersonal | None = None
    decided_at: datetime | None = None
    decision_reason: Forgotten | None = None
    received_at: datetime | None = None
    is_final: bool = False
    closed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done with it."""
        return self.status in OPEN_RETURNS

    @property
    def is_complete(self) -> bool:
        """Whether nothing more of it comes back."""
        return self.is_final or all(item.received == item.quantity for item in self.items)

    def claims(self, line_id: str) -> int:
        """How many pieces of a line have come back with it, or are still to come."""
        if self.status in WITHDRAWN:
            return 0
        items = (item for item in self.items if item.line_id == line_id)
        return sum(item.received if self.is_final else item.quantity for item in items)

    def with_received(self, pieces: Iterable[ReturnedPieces], now: datetime, *, is_final: bool) -> "Return":
        """The return with these of its pieces back; what is missing of one that ``is_final`` does not come any more.

        Raises:
            InvalidArgument: it is of no such line.
            ConstraintViolated: nothing comes back with it in its status, or not so many pieces.
        """
        received = self if self.status is ReturnStatus.RECEIVED and not self.is_complete else self.become(ReturnStatus.RECEIVED)
        items = {item.line_id: item for item in self.items}
        for place, one in enumerate(pieces):
            if one.line_id not in items:
                raise InvalidArgument.of(f"items.{place}.line_id", "is no line of this return")
            items[one.line_id] = item = items[one.line_id].with_received(one)
            if item.received > item.quantity:
                raise ConstraintViolated(
                    f"The return has {item.quantity} pieces of line {one.line_id}, not {item.received}.", line_id=one.line_id
                )
        if not any(item.received for item in items.values()):
            raise ConstraintViolated("Nothing of it has come back: cancel it instead.", return_status=str(self.status))
        return replace(received, items=tuple(items.values()), received_at=now, is_final=is_final)

    def become(self, status: ReturnStatus) -> "Return":
        """The return in another status; raises where the allowed transitions have no such step."""
        allowed = RETURN_TRANSITIONS[self.status]
        if status not in allowed:
            facts = {"from": str(self.status), "to": str(status), "allowed": sorted(allowed)}
            raise ConstraintViolated(f"The return is {self.status} and cannot become {status}.", **facts)
        return replace(self, status=status)


def taken_back(returns: Iterable[Return], now: datetime, by: str) -> tuple[Return, ...]:
    """The open ones among the returns of an order, all of which staff take back at once: everything has come back with them."""
    return tuple(_taken_back(one, now, by) for one in returns if one.is_open)


def _taken_back(one: Return, now: datetime, by: str) -> Return:
    if one.status is ReturnStatus.REQUESTED:
        one = replace(one.become(ReturnStatus.APPROVED), decided_by=by, decided_at=now)
    if one.status is ReturnStatus.APPROVED:
        one = one.become(ReturnStatus.RECEIVED)
    items = tuple(replace(item, resellable=item.quantity - item.damaged) for item in one.items)
    return replace(one, items=items, received_at=now)


def closed(
    returns: Iterable[Return], payment: Payment | None, refunds: tuple[Refund, ...], now: datetime
) -> tuple[Return, ...]:
    """Those of which nothing more comes back, and for which nobody waits for money any more, closed."""
    waiting = {one.return_id or one.refund_id for one in refunds if payment and is_open(one, payment, refunds)}
    unwinding = payment and of_unwinding(payment)
    ended = (one for one in returns if one.status is ReturnStatus.RECEIVED and one.is_complete)
    settled = (one for one in ended if not {one.return_id, unwinding} & waiting)
    return tuple(replace(one.become(ReturnStatus.CLOSED), closed_at=now) for one in settled)


def found(returns: Iterable[Return], return_id: str) -> Return:
    """The return of that id; raises ``NotFound`` where there is none."""
    for one in returns:
        if one.return_id == return_id:
            return one
    raise NotFound("The order has no such return.")


def merged(before: tuple[Return, ...], changed: tuple[Return, ...]) -> tuple[Return, ...]:
    """The returns with those that have changed in their places, and new ones behind them."""
    by_id = {one.return_id: one for one in (*before, *changed)}
    return tuple(by_id.values())


def counted(pieces: Iterable[ReturnedPieces], *conditions: Condition) -> dict[str, int]:
    """How many pieces of each line there are, in these conditions or in any."""
    counts: dict[str, int] = {}
    for one in pieces:
        if not conditions or one.condition in conditions:
            counts[one.line_id] = counts.get(one.line_id, 0) + one.quantity
    return counts
