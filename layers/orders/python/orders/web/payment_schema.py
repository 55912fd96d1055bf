"""``payment.confirmed`` and ``payment.failed`` as they travel on the bus, checked by the consumer."""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from orders.domain import strict_json
from orders.domain.events import PAYMENT_EVENTS
from orders.domain.money import Money
from orders.domain.payment_reports import PaymentReport
from orders.web import bodies
from orders.web.texts import Body, OrderIdText, Reason, Text200


class ReportedAmount(BaseModel):
    """An amount of minor units beside its currency."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    amount: Annotated[int, Field(ge=0, strict=True)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class PaymentReported(Body):
    """``payment.confirmed`` or ``payment.failed`` on the bus (``docs/behavior.md#payment-events``)."""

    model_config = ConfigDict(extra="ignore", strict=False, frozen=True, defer_build=True)

    event_type: Literal[PAYMENT_EVENTS]  # type: ignore[valid-type]
    event_id: Text200 | None = None
    order_id: OrderIdText
    payment_id: Text200 | None = None
    amount: ReportedAmount | None = None
    reason: Reason | None = None

    def report(self) -> PaymentReport:
        """The domain's value."""
        amount = Money(self.amount.amount, self.amount.currency) if self.amount else None
        return PaymentReport(self.order_id, self.event_type, self.event_id, self.payment_id, amount, self.reason)


def read_message(body: str) -> PaymentReport:
    """The event in a queue message: the bus's envelope, which names the type where the detail does not, or its detail alone."""
    message = strict_json.loads(body.encode("utf-8", "surrogatepass"))
    detail = message
    if "detail-type" in message:
        detail = {"event_type": message["detail-type"], **message["detail"]}
    return bodies.parse(PaymentReported, json.dumps(detail).encode()).report()
