"""What callers see of money: amounts, the payment of an order, and what of it is given back."""

from typing import NotRequired, TypedDict

from orders.domain.money import Money
from orders.domain.order import timestamp
from orders.domain.payment import Dispute, Payment
from orders.domain.refund import Refund
from orders.domain.statuses import DisputeStatus, PaymentMethod, PaymentStatus, RefundStatus
from orders.web.shapes import Count, Currency, Time, present, when


class MoneyView(TypedDict):
    """An amount of minor units beside its currency."""

    amount: int
    currency: Currency


def money_view(money: Money) -> MoneyView:
    """An amount of minor units beside its currency."""
    return {"amount": money.amount, "currency": money.currency}


class _NextActionView(TypedDict):
    type: str
    url: NotRequired[str | None]


class DisputeView(TypedDict):
    """The customer's bank asks for the money back."""

    dispute_id: str
    status: DisputeStatus
    amount: NotRequired[MoneyView | None]
    reason: NotRequired[str | None]
    opened_at: Time
    closed_at: NotRequired[Time | None]


def _dispute_view(dispute: Dispute) -> DisputeView:
    return present(
        DisputeView,
        dispute_id=dispute.dispute_id,
        status=dispute.status,
        amount=money_view(dispute.amount) if dispute.amount else None,
        reason=dispute.reason,
        opened_at=timestamp(dispute.opened_at),
        closed_at=when(dispute.closed_at),
    )


class PaymentView(TypedDict):
    """The payment: its intent, and what became of the money."""

    payment_id: str
    status: PaymentStatus
    amount: MoneyView
    method: PaymentMethod
    provider: str
    provider_reference: NotRequired[str | None]
    amount_captured: MoneyView
    amount_refunded: MoneyView
    next_action: NotRequired[_NextActionView | None]
    failure_reason: NotRequired[str | None]
    created_at: NotRequired[Time | None]
    refunded_at: NotRequired[Time | None]
    authorization_expires_at: NotRequired[Time | None]
    dispute: DisputeView | None


def payment_view(payment: Payment) -> PaymentView:
    """The payment: its intent, and what became of the money."""
    currency, action = payment.amount.currency, payment.next_action
    return present(
        PaymentView,
        payment_id=payment.payment_id,
        status=payment.status,
        amount=money_view(payment.amount),
        method=payment.method,
        provider=payment.provider,
        provider_reference=payment.provider_reference,
        amount_captured={"amount": payment.amount_captured, "currency": currency},
        amount_refunded={"amount": payment.amount_refunded, "currency": currency},
        next_action=present(_NextActionView, type=action.type, url=action.url) if action else None,
        failure_reason=payment.failure_reason,
        created_at=when(payment.created_at),
        refunded_at=when(payment.refunded_at),
        authorization_expires_at=when(payment.authorization_expires_at),
        dispute=_dispute_view(payment.dispute) if payment.dispute else None,
    )


class _RefundedLineView(TypedDict):
    line_id: str
    quantity: Count


class RefundView(TypedDict):
    """Money that is given back."""

    refund_id: str
    status: RefundStatus
    amount: MoneyView
    items: NotRequired[list[_RefundedLineView] | None]
    return_id: NotRequired[str | None]
    reason: NotRequired[str | None]
    requested_by: str
    created_at: Time
    completed_at: NotRequired[Time | None]
    failure_reason: NotRequired[str | None]


def refund_view(refund: Refund, *, is_staff: bool, shows_reason: bool) -> RefundView:
    """A refund; what the provider said of it is for staff."""
    return present(
        RefundView,
        refund_id=refund.refund_id,
        status=refund.status,
        amount=money_view(refund.amount),
        items=[{"line_id": line.line_id, "quantity": line.quantity} for line in refund.items] or None,
        return_id=refund.return_id,
        reason=refund.reason if shows_reason else None,
        requested_by=refund.requested_by,
        created_at=timestamp(refund.created_at),
        completed_at=when(refund.completed_at),
        failure_reason=refund.failure_reason if is_staff else None,
    )
