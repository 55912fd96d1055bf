"""Stripe, through its official client: one payment intent for each payment (``docs/providers.md#stripe``).

An intent is created unconfirmed, and only the intent of that id is ever confirmed. Each call has an idempotency key, and none
relies on it alone, as Stripe forgets keys after a day: the ids of captures and refunds stand in Stripe's metadata, written
before a capture and with a refund.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orders.adapters import stripe_amounts, stripe_intents
from orders.adapters.payments.protocol import Intent, PaymentGateway
from orders.adapters.stripe_amounts import NotAtStripe
from orders.adapters.stripe_refusals import Declined, Lost, NotTaken
from orders.domain.errors import GatewayUnavailable
from orders.domain.money import Money
from orders.domain.payment import GatewayOutcome, OutcomeKind
from orders.domain.steps import PaymentDeclined

MINIMUM = stripe_amounts.MINIMUM
RETURNS = True

NOT_HELD = "The money is held no longer."
NOT_RENEWED = "The money cannot be held for longer."
NOT_LEFT = "So much is not left to be refunded."
GIVEN_UP = "The customer's bank did not take the money back."
NO_METHOD = "The payment method was not accepted."
NOT_TAKEN = "The payment provider does not take this amount in this currency."
LOST = GatewayOutcome(OutcomeKind.UNKNOWN)
_UNCONFIRMED = ("requires_payment_method", "requires_confirmation", "requires_action", "requires_capture")


class StripeGateway:
    """Payment intents."""

    def open(self, intent: Intent) -> str:
        """See ``PaymentGateway.open``. A token that Stripe does not know is refused when the payment is confirmed."""
        try:
            return _created(intent)
        except NotAtStripe as refusal:
            raise PaymentDeclined(str(refusal)) from None
        except Lost:
            raise GatewayUnavailable("The payment provider's response was lost.") from None

    def authorize(self, intent: Intent) -> GatewayOutcome:
        """See ``PaymentGateway.authorize``."""
        try:
            return stripe_intents.outcome_of(_confirmed(intent))
        except Declined as refusal:
            return GatewayOutcome(OutcomeKind.DECLINED, reason=refusal.reason or stripe_intents.DECLINED)
        except Lost:
            return LOST
        except NotTaken:
            outcome = self.look_up(intent)
        # What cannot be confirmed, and never was, has no payment method that Stripe accepts.
        never = outcome.kind is OutcomeKind.UNKNOWN
        return GatewayOutcome(OutcomeKind.DECLINED, reason=NO_METHOD) if never else outcome

    def capture(self, intent: Intent, capture_id: str, amount: int) -> GatewayOutcome:
        """See ``PaymentGateway.capture``. What an ordinary hold has beside its one capture is released with it."""
        found, name = _retrieved(intent), stripe_intents.capture_name(capture_id)
        asked, taken = stripe_intents.captures(found), stripe_intents.captured(found)
        if name in asked and sum(asked.values()) <= _in_stripe(intent, taken):
            return stripe_intents.outcome_of(found)
        if found["status"] != "requires_capture" or amount > intent.amount.amount - taken:
            return GatewayOutcome(OutcomeKind.DECLINED, taken, reason=NOT_HELD)
        try:
            _client().note(_reference(intent), {name: str(_in_stripe(intent, amount))})
            return stripe_intents.outcome_of(_taken(intent, found, capture_id, amount))
        except (NotTaken, Declined):
            _client().note(_reference(intent), {name: ""})
        except NotAtStripe:
            return GatewayOutcome(OutcomeKind.DECLINED, taken, reason=NOT_TAKEN)
        except Lost:
            return LOST
        return GatewayOutcome(OutcomeKind.DECLINED, taken, reason=NOT_HELD)

    def renew(self, intent: Intent) -> GatewayOutcome:  # noqa: ARG002 - of no hold
        """See ``PaymentGateway.renew``. Stripe holds money no longer than it has said at first."""
        return GatewayOutcome(OutcomeKind.DECLINED, reason=NOT_RENEWED)

    def void(self, intent: Intent) -> GatewayOutcome:
        """See ``PaymentGateway.void``."""
        found = _retrieved(intent)
        try:
            found = _released(intent, found) if found["status"] in _UNCONFIRMED else found
        except Lost:
            return LOST
        except (NotTaken, Declined):
            # Confirmed, or captured, in the meantime.
            found = _retrieved(intent)
        outcome, is_decided = _with_refunds(intent, found), found["status"] in ("succeeded", "canceled")
        return GatewayOutcome(
            OutcomeKind.SETTLED if is_decided else OutcomeKind.PENDING,
            captured=outcome.captured,
            refunded=outcome.refunded,
        )

    def refund(self, intent: Intent, refund_id: str, amount: int) -> GatewayOutcome:
        """See ``PaymentGateway.refund``. One that Stripe gave up stays so: another try has another id."""
        found = _retrieved(intent)
        refunds = _refunds(intent) if stripe_intents.charge_of(found) else []
        before = stripe_intents.outcome_of(found, refunds)
        known = next((one for one in refunds if stripe_intents.refund_id_of(one) == refund_id), None)
        if known:
            kind = stripe_intents.kind_of(known)
            return replace(before, kind=kind, reason=GIVEN_UP if kind is OutcomeKind.DECLINED else None)
        refused = GatewayOutcome(OutcomeKind.DECLINED, before.captured, before.refunded, reason=NOT_LEFT)
        if not 0 < amount <= before.captured - before.refunded:
            return refused
        try:
            made = _made(intent, refund_id, amount)
        except (NotTaken, Declined, NotAtStripe):
            return refused
        except Lost:
            return LOST
        kind = stripe_intents.kind_of(made)
        if kind is OutcomeKind.DECLINED:
            return replace(refused, reason=GIVEN_UP)
        return replace(before, kind=kind, refunded=before.refunded + amount)

    def look_up(self, intent: Intent, reported: OutcomeKind | None = None) -> GatewayOutcome:  # noqa: ARG002 - not believed
        """See ``PaymentGateway.look_up``. Stripe goes by its own books, whatever is reported."""
        return _with_refunds(intent, _retrieved(intent))


def _client() -> Any:
    # With the first call only: what pays with another provider does not load Stripe's client.
    from orders.adapters import stripe_client  # noqa: PLC0415

    return stripe_client


def _reference(intent: Intent) -> str:
    if intent.reference is None:
        raise GatewayUnavailable("The payment has no reference at its provider.")
    return intent.reference


def _in_stripe(intent: Intent, amount: int) -> int:
    return stripe_amounts.to_stripe(Money(amount, intent.amount.currency))


def _created(intent: Intent) -> str:
    """The id of the intent: with all that is asked for, or without what Stripe does not take of it."""
    full = _creation(intent)
    with_method = {name: value for name, value in full.items() if name != "payment_method_options"}
    bare = {name: value for name, value in with_method.items() if name != "payment_method"}
    # Another amount is another call: pieces may be cancelled between two tries, before the intent is written down.
    key = f"{intent.key}-open-{intent.amount.amount}"
    ways = {key: full, f"{key}-once": with_method, f"{key}-bare": bare}
    before: Mapping[str, Any] | None = None
    for key, params in ways.items():
        if params == before:
            continue
        try:
            reference: str = _client().create(params, key)
        except (NotTaken, Declined):
            before = params
        else:
            return reference
    raise PaymentDeclined(NOT_TAKEN)


def _creation(intent: Intent) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "amount": stripe_amounts.to_stripe(intent.amount),
        "currency": intent.amount.currency.lower(),
        "metadata": {
            stripe_intents.ORDER_ID: intent.order_id,
            stripe_intents.PAYMENT_ID: intent.key,
        },
    }
    asked |= {"payment_method": intent.token} if intent.token else {}
    if not intent.capture:
        asked["capture_method"] = "manual"
        asked["payment_method_options"] = {"card": {"request_multicapture": "if_available"}}
    return asked


def _confirmed(intent: Intent) -> Mapping[str, Any]:
    """The intent after it was confirmed: with the customer's way back, or without one that is not taken."""
    reference, key = _reference(intent), f"{intent.key}-confirm"
    if intent.return_url:
        try:
            found: Mapping[str, Any] = _client().confirm(reference, {"return_url": intent.return_url}, key)
        except NotTaken as refusal:
            if "return_url" not in refusal.about:
                raise
        else:
            return found
        key = f"{key}-bare"
    bare: Mapping[str, Any] = _client().confirm(reference, {}, key)
    return bare


def _retrieved(intent: Intent) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = _client().retrieve(_reference(intent))
    except (Lost, NotTaken):
        # Of an account that our key is not for, Stripe says that there is no such payment.
        raise GatewayUnavailable("The payment provider does not say what has become of the payment.") from None
    return found


def _refunds(intent: Intent) -> list[Mapping[str, Any]]:
    try:
        listed: list[Mapping[str, Any]] = _client().refunds(_reference(intent))
    except (Lost, NotTaken):
        raise GatewayUnavailable("The payment provider does not say what was refunded.") from None
    return listed


def _with_refunds(intent: Intent, found: Mapping[str, Any]) -> GatewayOutcome:
    has_some = stripe_intents.captured(found) and stripe_intents.charge_of(found).get("amount_refunded")
    return stripe_intents.outcome_of(found, _refunds(intent) if has_some else ())


def _taken(intent: Intent, found: Mapping[str, Any], capture_id: str, amount: int) -> Mapping[str, Any]:
    params: dict[str, Any] = {"amount_to_capture": _in_stripe(intent, amount)}
    if stripe_intents.captures_often(found):
        is_last = amount == intent.amount.amount - stripe_intents.captured(found)
        params["final_capture"] = is_last
    after: Mapping[str, Any] = _client().capture(_reference(intent), params, f"{capture_id}-capture")
    return after


def _released(intent: Intent, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The intent of which nothing more is taken: canceled, or, where a part was captured, without the rest."""
    if stripe_intents.captured(found):
        nothing_more = {"amount_to_capture": 0, "final_capture": True}
        after: Mapping[str, Any] = _client().capture(_reference(intent), nothing_more, f"{intent.key}-release")
        return after
    canceled: Mapping[str, Any] = _client().cancel(_reference(intent), f"{intent.key}-cancel")
    return canceled


def _made(intent: Intent, refund_id: str, amount: int) -> Mapping[str, Any]:
    params = {
        "payment_intent": _reference(intent),
        "amount": _in_stripe(intent, amount),
        "metadata": {stripe_intents.REFUND_ID: refund_id, stripe_intents.ORDER_ID: intent.order_id},
    }
    made: Mapping[str, Any] = _client().refund(params, refund_id)
    return made


def owner_of(reference: str | None, charge: str | None) -> tuple[str, str | None] | None:
    """The order and the payment that an intent's metadata names; a dispute has none of its own.

    Raises:
        GatewayUnavailable: to be tried again.
    """
    if not reference and not charge:
        return None
    try:
        found: Mapping[str, Any] = _client().retrieve(reference) if reference else _client().intent_of_charge(charge)
    except NotTaken:
        return None
    except Lost:
        raise GatewayUnavailable("The payment provider does not say whose payment it is.") from None
    metadata = found.get("metadata") or {}
    order_id = metadata.get(stripe_intents.ORDER_ID)
    return (order_id, metadata.get(stripe_intents.PAYMENT_ID)) if order_id else None


GATEWAY: PaymentGateway = StripeGateway()
