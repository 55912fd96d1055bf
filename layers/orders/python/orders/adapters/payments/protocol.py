"""The payment provider as the order pipeline needs it.

A provider is a module of this package, named like the provider, in which ``GATEWAY`` has these seven methods. Stripe's payment
intents fit: ``open`` creates one unconfirmed, ``authorize`` confirms it, ``void`` is its cancellation.
"""

from dataclasses import dataclass
from typing import Protocol

from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.money import Money
from orders.domain.payment import GatewayOutcome, OutcomeKind
from orders.domain.personal import Forgotten, Hidden, Impersonal, guarded
from orders.domain.statuses import PaymentMethod


@guarded
@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What a provider is told of a payment with every call.

    ``key`` is the payment's id, the same on every try; ``reference`` is the provider's own id, from ``open`` on. Where
    ``capture`` is false, ``authorize`` holds the money until it is captured or voided. ``token`` is there for as long as the
    payment may have to be confirmed, ``return_url`` is where the customer comes back to from their bank's page.
    """

    key: Impersonal
    order_id: OrderId
    customer_id: CustomerId
    amount: Money
    method: PaymentMethod
    capture: bool = True
    return_url: Forgotten | None = None
    reference: Impersonal | None = None
    token: Hidden | None = None


class PaymentGateway(Protocol):
    """Takes and gives back money; every call may be repeated with the same keys and has its effect once.

    A refusal of the customer's card is an outcome, ``declined``, as is a lost response, ``unknown``: it is looked up. A
    provider that is down, or does not accept our own credentials, raises ``GatewayUnavailable``. What a call may raise is the
    whole of what a provider may raise: the machines' Retry blocks are checked against it.
    """

    def open(self, intent: Intent) -> str:
        """Makes the payment known to the provider, unconfirmed; returns the provider's own id of it. Takes no money.

        Raises:
            PaymentDeclined: it does not take such a payment at all.
            GatewayUnavailable: to be tried again.
        """

    def authorize(self, intent: Intent) -> GatewayOutcome:
        """Confirms the payment that ``intent.reference`` names: takes the money, or holds it.

        ``settled`` says what is captured, nothing of what is only held; of that it says until when, and whether it can be
        captured once only. ``action_required`` says what the customer has to do; ``pending`` is decided later.

        Raises:
            GatewayUnavailable: to be tried again, once the payment was looked up.
        """

    def capture(self, intent: Intent, capture_id: str, amount: int) -> GatewayOutcome:
        """Takes so much of the money that is held, once for each ``capture_id``; ``declined`` if it is held no longer.

        Raises:
            GatewayUnavailable: to be tried again.
        """

    def renew(self, intent: Intent) -> GatewayOutcome:
        """Holds the money for longer; ``settled`` says until when, ``declined`` that this provider cannot.

        Raises:
            GatewayUnavailable: to be tried again.
        """

    def void(self, intent: Intent) -> GatewayOutcome:
        """Makes sure that nothing more is taken from now on, whether or not the payment was ever confirmed: nor will it be.

        ``settled`` says what had been captured before, to be refunded; ``pending`` that this cannot be told yet.

        Raises:
            GatewayUnavailable: to be tried again.
        """

    def refund(self, intent: Intent, refund_id: str, amount: int) -> GatewayOutcome:
        """Gives so much of what was captured back, once for each ``refund_id``; ``declined`` if so much is not left.

        Raises:
            GatewayUnavailable: to be tried again.
        """

    def look_up(self, intent: Intent, reported: OutcomeKind | None = None) -> GatewayOutcome:
        """What has become of the payment, days later too; ``unknown`` only if it was never confirmed: ``authorize`` follows.

        Money that is held no longer, as the hold was voided or has ended, is ``settled`` if a part of it was captured, and
        otherwise ``declined``; it has no ``expires_at``.

        ``reported`` is what an event says of it: a provider that can be asked goes by its own books.

        Raises:
            GatewayUnavailable: to be tried again.
        """
