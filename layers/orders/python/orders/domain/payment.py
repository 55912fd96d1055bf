"""The payment of an order: its intent, what was captured of it and given back, and what is left to be done for it."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from orders.domain.errors import ConstraintViolated
from orders.domain.money import Money
from orders.domain.personal import Forgotten, Impersonal, Personal, guarded
from orders.domain.statuses import PAYMENT_TRANSITIONS, CaptureStatus, DisputeStatus, PaymentMethod, PaymentStatus

AT_THE_DOOR = "cash"
"""The provider of a payment in cash: our own people."""


@guarded
@dataclass(frozen=True, slots=True)
class NextAction:
    """What the customer has to do before the payment goes on, and the page where they do it."""

    type: Impersonal
    url: Forgotten | None = None


class OutcomeKind(StrEnum):
    """What a provider says of a call."""

    SETTLED = "settled"
    PENDING = "pending"
    ACTION_REQUIRED = "action_required"
    DECLINED = "declined"
    UNKNOWN = "unknown"
    """Its response was lost, or it has not decided on this payment: it is looked up, never guessed."""


@guarded
@dataclass(frozen=True, slots=True)
class GatewayOutcome:
    """What a provider has said of a payment: the sums, in minor units, are of the whole payment as it is then.

    ``reason`` is a sentence for the customer. Of money that is held, ``expires_at`` is until when, and ``captures_once``
    whether the first capture releases the rest.
    """

    kind: OutcomeKind
    captured: int = 0
    refunded: int = 0
    next_action: NextAction | None = None
    reason: Personal | None = None
    expires_at: datetime | None = None
    captures_once: bool = False


@dataclass(frozen=True, slots=True)
class Capture:
    """So much of the money that is held, taken for one parcel: ``capture_id`` is the provider's idempotency key.

    ``at`` is when it was written down, or decided.
    """

    capture_id: Impersonal
    amount: int
    status: CaptureStatus
    at: datetime


def capture_key(shipment_id: str) -> str:
    """The id of the capture for a parcel, and the provider's idempotency key of it."""
    return f"capture-{shipment_id}"


def cash_key(shipment_id: str) -> str:
    """The id of the cash that is collected with a parcel."""
    return f"cash-{shipment_id}"


@guarded
@dataclass(frozen=True, slots=True)
class Dispute:
    """The customer's bank asks for the money back: ``reason`` is why, in the provider's own word."""

    dispute_id: Impersonal
    status: DisputeStatus
    opened_at: datetime
    amount: Money | None = None
    reason: Impersonal | None = None
    closed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is not decided yet."""
        return self.status is DisputeStatus.OPEN


@dataclass(frozen=True, slots=True)
class OpenedPayment:
    """A payment that a provider knows, unconfirmed, by its own id."""

    payment_id: Impersonal
    provider: Impersonal
    reference: Impersonal
    is_captured_later: bool = False
    amount: Money | None = None
    """How much it was opened for, where that is known."""


@guarded
@dataclass(frozen=True, slots=True)
class Payment:
    """The payment intent: ``payment_id`` is also the key that its provider gets with every call.

    ``provider`` keeps the payment for as long as it lives, whichever provider is configured later, and knows it as
    ``provider_reference``. The amounts captured and refunded are in minor units of the currency of ``amount``.
    ``refunded_at`` is when the provider had given the money back. Rows of earlier releases have none of these.

    Where ``is_captured_later``, the money is held first, until ``authorization_expires_at``, and captured with the parcels.
    """

    payment_id: Impersonal
    status: PaymentStatus
    amount: Money
    method: PaymentMethod
    provider: Impersonal
    provider_reference: Impersonal | None = None
    amount_captured: int = 0
    amount_refunded: int = 0
    next_action: NextAction | None = None
    failure_reason: Personal | None = None
    created_at: datetime | None = None
    refunded_at: datetime | None = None
    is_captured_later: bool = False
    captures_once: bool = False
    authorization_expires_at: datetime | None = None
    captures: tuple[Capture, ...] = ()
    dispute: Dispute | None = None
    is_expiry_known: bool = False
    """Whether the order was put on hold, or its people were told, because this hold ends."""

    @property
    def has_open_dispute(self) -> bool:
        """Whether the customer's bank has asked for the money back, and has not decided: nothing is refunded meanwhile."""
        return self.dispute is not None and self.dispute.is_open

    @property
    def left(self) -> int:
        """What was captured and is not given back."""
        return self.amount_captured - self.amount_refunded

    def become(self, status: PaymentStatus) -> "Payment":
        """The payment in another status; raises where the allowed transitions have no such step."""
        if status not in PAYMENT_TRANSITIONS[self.status]:
            raise ConstraintViolated(f"The payment is {self.status} and cannot become {status}.", payment=str(self.status))
        action = self.next_action if status is PaymentStatus.REQUIRES_ACTION else None
        return replace(self, status=status, next_action=action)

    def completed(self, captured: int | None = None) -> "Payment":
        """The payment with all of its amount captured, or so much of it, and nothing more to come."""
        taken = self.amount.amount if captured is None else captured
        done = _without_pending(self.become(PaymentStatus.COMPLETED), is_taken=taken > self.amount_captured)
        done = replace(done, amount_captured=taken)
        return replace(done, status=_status_with(done, done.amount_refunded))

    def ended(self, captured: int) -> "Payment":
        """The payment of which no more is taken than that: completed with it, or voided where it is nothing."""
        return self.completed(captured) if captured else self.voided(None)

    def authorized(self, outcome: GatewayOutcome) -> "Payment":
        """The payment whose money is held, and until when."""
        after = self if self.status is PaymentStatus.AUTHORIZED else self.become(PaymentStatus.AUTHORIZED)
        return replace(after, authorization_expires_at=outcome.expires_at, captures_once=outcome.captures_once)

    @property
    def pending_capture(self) -> Capture | None:
        """The capture that is written down and not decided; there is never more than one."""
        return next((one for one in self.captures if one.status is CaptureStatus.PENDING), None)

    def capture(self, capture_id: str) -> Capture | None:
        """The capture of that id, if there is one."""
        return next((one for one in self.captures if one.capture_id == capture_id), None)

    def taken_for(self, shipment_id: str) -> int:
        """What was captured, or collected in cash, for a parcel."""
        ids = (capture_key(shipment_id), cash_key(shipment_id))
        return sum(one.amount for one in self.captures if one.status is CaptureStatus.COMPLETED and one.capture_id in ids)

    def with_capture(self, capture: Capture) -> "Payment":
        """The payment with a capture written down, or decided; the sum captured follows from them."""
        others = tuple(one for one in self.captures if one.capture_id != capture.capture_id)
        captures = (*others, capture)
        taken = sum(one.amount for one in captures if one.status is CaptureStatus.COMPLETED)
        return replace(self, captures=captures, amount_captured=taken)

    def voided(self, reason: str | None) -> "Payment":
        """The payment that is never taken."""
        closed = _without_pending(self.become(PaymentStatus.VOIDED), is_taken=False)
        return replace(closed, failure_reason=self.failure_reason or reason)

    def refunded(self, total: int, now: datetime) -> "Payment":
        """The payment with so much of it given back in all; its status follows from that, unless more may be captured."""
        if not 0 <= total <= self.amount_captured:
            raise ConstraintViolated("More would be refunded than was captured.", payment=str(self.status))
        status = self.status if self.status is PaymentStatus.AUTHORIZED else _status_with(self, total)
        after = self if self.status is status else self.become(status)
        return replace(after, amount_refunded=total, refunded_at=now if total else None)


def _status_with(payment: Payment, refunded: int) -> PaymentStatus:
    if refunded and refunded == payment.amount_captured:
        return PaymentStatus.REFUNDED
    return PaymentStatus.PARTIALLY_REFUNDED if refunded else PaymentStatus.COMPLETED


def _without_pending(payment: Payment, *, is_taken: bool) -> Payment:
    """The payment with the capture decided that was not, if there is one."""
    pending = payment.pending_capture
    status = CaptureStatus.COMPLETED if is_taken else CaptureStatus.FAILED
    return payment.with_capture(replace(pending, status=status)) if pending else payment
