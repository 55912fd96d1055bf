"""``payment.confirmed`` and ``payment.failed`` as they travel on the bus, checked by the consumer."""

import json
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from orders.domain import strict_json
from orders.domain.events import PAYMENT_EVENTS, PROVIDERS_EVENTS, PROVIDERS_SOURCE
from orders.domain.money import Money
from orders.domain.payment import Dispute
from orders.domain.payment_reports import PaymentReport
from orders.domain.statuses import DisputeStatus
from orders.web import bodies
from orders.web.texts import Body, OrderIdText, Reason, Text200


class ReportedAmount(BaseModel):
    """An amount of minor units beside its currency."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    amount: Annotated[int, Field(ge=0, strict=True)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class ReportedDispute(BaseModel):
    """A dispute as the pipeline's own receiver passes it on."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    dispute_id: Text200
    status: DisputeStatus
    opened_at: AwareDatetime
    amount: ReportedAmount | None = None
    reason: Text200 | None = None
    closed_at: AwareDatetime | None = None

    def dispute(self) -> Dispute:
        """The domain's value."""
        return Dispute(self.dispute_id, self.status, self.opened_at, _money(self.amount), self.reason, self.closed_at)


def _money(amount: ReportedAmount | None) -> Money | None:
    return Money(amount.amount, amount.currency) if amount else None


class PaymentReported(Body):
    """``payment.confirmed`` or ``payment.failed`` on the bus (``docs/behavior.md#payment-events``), or what a webhook said."""

    model_config = ConfigDict(extra="ignore", strict=False, frozen=True, defer_build=True)

    event_type: Literal[PAYMENT_EVENTS + PROVIDERS_EVENTS]  # type: ignore[valid-type]
    event_id: Text200 | None = None
    order_id: OrderIdText
    payment_id: Text200 | None = None
    amount: ReportedAmount | None = None
    reason: Reason | None = None
    sender: Text200 | None = None
    reference: Text200 | None = None
    refund_key: Text200 | None = None
    dispute: ReportedDispute | None = None

    def report(self, *, by_receiver: bool) -> PaymentReport:
        """The domain's value. What only a provider says is believed of the pipeline's own receiver, which has verified it.

        Raises:
            ValueError: somebody else says it.
        """
        said = PaymentReport(self.order_id, self.event_type, self.event_id, self.payment_id, _money(self.amount), self.reason)
        if not by_receiver:
            if self.event_type not in PAYMENT_EVENTS:
                raise ValueError(f"{self.event_type} is said by the payment provider itself only")
            return said
        dispute = self.dispute.dispute() if self.dispute else None
        return replace(said, sender=self.sender, reference=self.reference, refund_key=self.refund_key, dispute=dispute)


def read_message(body: str) -> PaymentReport:
    """The event in a queue message: the bus's envelope, which names the type where the detail does not, or its detail alone."""
    message = strict_json.loads(body.encode("utf-8", "surrogatepass"))
    detail = message
    if "detail-type" in message:
        detail = {"event_type": message["detail-type"], **message["detail"]}
    by_receiver = message.get("source") == PROVIDERS_SOURCE
    return bodies.parse(PaymentReported, json.dumps(detail).encode()).report(by_receiver=by_receiver)
