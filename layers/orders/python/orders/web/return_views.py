"""What callers see of the returns of an order."""

from typing import NotRequired, TypedDict

from orders.domain.order import timestamp
from orders.domain.returns import Return, ReturnItem
from orders.domain.statuses import Condition, ReturnStatus
from orders.web.shapes import Count, Time, present, when


class _ReceivedView(TypedDict):
    quantity: Count
    condition: Condition


class _ReturnItemView(TypedDict):
    line_id: str
    quantity: Count
    reason: NotRequired[str | None]
    received: list[_ReceivedView]


class ReturnView(TypedDict):
    """A return: what is sent back, and what of it has come back in which condition."""

    return_id: str
    status: ReturnStatus
    items: list[_ReturnItemView]
    note: NotRequired[str | None]
    requested_by: str
    created_at: Time
    decided_by: NotRequired[str | None]
    decided_at: NotRequired[Time | None]
    decision_reason: NotRequired[str | None]
    received_at: NotRequired[Time | None]
    closed_at: NotRequired[Time | None]


def return_view(one: Return, *, is_staff: bool, is_concerned: bool) -> ReturnView:
    """A return; what its customer wrote is for whom it concerns, and what staff noted for staff."""
    return present(
        ReturnView,
        return_id=one.return_id,
        status=one.status,
        items=[_item_view(item, is_concerned=is_concerned) for item in one.items],
        note=one.note if is_concerned else None,
        requested_by=one.requested_by,
        created_at=timestamp(one.created_at),
        decided_by=one.decided_by,
        decided_at=when(one.decided_at),
        decision_reason=one.decision_reason if is_staff else None,
        received_at=when(one.received_at),
        closed_at=when(one.closed_at),
    )


def _item_view(item: ReturnItem, *, is_concerned: bool) -> _ReturnItemView:
    received: list[_ReceivedView] = [
        {"quantity": count, "condition": condition}
        for condition, count in ((Condition.RESELLABLE, item.resellable), (Condition.DAMAGED, item.damaged))
        if count
    ]
    return present(
        _ReturnItemView,
        line_id=item.line_id,
        quantity=item.quantity,
        reason=item.reason if is_concerned else None,
        received=received,
    )
