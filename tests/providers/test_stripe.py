"""What is Stripe's own: its amounts, its errors, lost answers, and ids that hold for longer than its idempotency keys."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from orders.adapters import stripe_amounts, stripe_client
from orders.adapters.payments.protocol import Intent
from orders.adapters.payments.stripe import GATEWAY
from orders.domain.errors import GatewayUnavailable
from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.money import Money
from orders.domain.payment import GatewayOutcome, OutcomeKind
from orders.domain.statuses import PaymentMethod
from orders.domain.steps import PaymentDeclined
from tests.harness import stripe_book
from tests.harness.caches import forget
from tests.harness.cloudformation import expanded
from tests.harness.stripe_book import Mishap, StripeBook
from tests.providers import cases

SETTLED, DECLINED, UNKNOWN = OutcomeKind.SETTLED, OutcomeKind.DECLINED, OutcomeKind.UNKNOWN


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch) -> Iterator[StripeBook]:
    with cases.stripe(monkeypatch) as found:
        yield found
    forget(stripe_client)


def opened(token: str = stripe_book.GOOD, amount: Money | None = None, *, capture: bool = True) -> Intent:
    intent = Intent(
        key="pay-1",
        order_id=OrderId("order-1"),
        customer_id=CustomerId("ada"),
        amount=amount or Money(1000, "USD"),
        method=PaymentMethod.CREDIT_CARD,
        capture=capture,
        token=token,
    )
    return replace(intent, reference=GATEWAY.open(intent))


def sums(outcome: GatewayOutcome) -> tuple[OutcomeKind, int, int]:
    return outcome.kind, outcome.captured, outcome.refunded


@pytest.mark.parametrize(
    ("ours", "stripe_s"),
    [
        (Money(1099, "USD"), 1099),
        (Money(500, "JPY"), 500),
        (Money(5, "ISK"), 500),
        (Money(5, "UGX"), 500),
        (Money(1200, "MGA"), 12),
        (Money(5120, "KWD"), 5120),
        (Money(17500, "HUF"), 17500),
    ],
)
def test_amounts_are_in_stripe_s_own_minor_units(ours: Money, stripe_s: int) -> None:
    assert stripe_amounts.to_stripe(ours) == stripe_s
    assert stripe_amounts.from_stripe(stripe_s, ours.currency.lower()) == ours


@pytest.mark.parametrize("amount", [Money(5124, "KWD"), Money(1234, "MGA")])
def test_what_cannot_be_charged_to_the_digit_is_declined(amount: Money, book: StripeBook) -> None:
    with pytest.raises(PaymentDeclined):
        opened(amount=amount)
    assert book.intents == {}


def test_a_krona_is_charged_and_given_back_as_one(book: StripeBook) -> None:
    intent = opened(amount=Money(70, "ISK"))
    assert sums(GATEWAY.authorize(intent)) == (SETTLED, 70, 0)
    assert sums(GATEWAY.refund(intent, "refund-1", 20)) == (SETTLED, 70, 20)
    assert [one["amount"] for one in book.intents.values()] == [7000]
    assert [one["amount"] for one in book.refunds] == [2000]


def test_a_token_that_stripe_does_not_know_is_a_decline_and_leaves_an_intent(book: StripeBook) -> None:
    intent = opened("pm_of_nobody")
    outcome = GATEWAY.authorize(intent)
    assert outcome.kind is DECLINED
    assert outcome.reason
    assert sums(GATEWAY.void(intent)) == (SETTLED, 0, 0)
    assert [one["status"] for one in book.intents.values()] == ["canceled"]


def test_the_customer_comes_back_to_where_the_order_says(book: StripeBook) -> None:
    outcome = GATEWAY.authorize(replace(opened(stripe_book.ASKS), return_url="https://shop.example/thanks"))
    assert outcome.next_action
    assert outcome.next_action.type == "redirect"
    (intent,) = book.intents.values()
    assert intent["next_action"]["redirect_to_url"]["return_url"] == "https://shop.example/thanks"
    assert intent["metadata"] == {"order_id": "order-1", "payment_id": "pay-1"}


@pytest.mark.parametrize(("token", "then"), [(stripe_book.GOOD, (SETTLED, 1000, 0)), (stripe_book.DECLINED, (DECLINED, 0, 0))])
def test_a_way_back_that_stripe_does_not_take_decides_nothing(
    token: str, then: tuple[OutcomeKind, int, int], book: StripeBook
) -> None:
    intent = replace(opened(token), return_url="shop.example/thanks")
    assert [sums(GATEWAY.authorize(intent)) for _ in range(2)] == [then] * 2
    assert [one["amount_received"] for one in book.intents.values()] == [then[1]]


def test_a_revoked_key_is_a_fault_and_not_a_decline(book: StripeBook, monkeypatch: pytest.MonkeyPatch) -> None:
    intent = opened()
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_revoked")
    for call in (lambda: GATEWAY.open(intent), lambda: GATEWAY.authorize(intent), lambda: GATEWAY.look_up(intent)):
        with pytest.raises(GatewayUnavailable):
            call()


@pytest.mark.parametrize("status", [500, 503, 429, 409])
def test_a_provider_that_is_down_is_a_fault_and_not_a_decline(status: int, book: StripeBook) -> None:
    intent = opened()
    book.mishaps += [Mishap("create", status), Mishap("confirm", status), Mishap("retrieve", status)]
    for call in (lambda: GATEWAY.open(intent), lambda: GATEWAY.authorize(intent), lambda: GATEWAY.look_up(intent)):
        with pytest.raises(GatewayUnavailable):
            call()
    assert sums(GATEWAY.authorize(intent)) == (SETTLED, 1000, 0)


def test_a_provider_that_cannot_be_reached_is_a_fault(book: StripeBook, monkeypatch: pytest.MonkeyPatch) -> None:
    intent = opened()
    monkeypatch.setenv("STRIPE_API_BASE", "http://127.0.0.1:1")
    with pytest.raises(GatewayUnavailable):
        GATEWAY.open(intent)
    assert GATEWAY.authorize(intent).kind is UNKNOWN


def test_an_intent_whose_answer_is_lost_is_the_same_the_next_time(book: StripeBook) -> None:
    book.mishaps.append(Mishap("create", loses_answer=True))
    with pytest.raises(GatewayUnavailable):
        opened()
    opened()
    assert len(book.intents) == 1


@pytest.mark.parametrize("forgets", [False, True])
def test_a_lost_answer_leads_to_one_charge_and_one_refund(book: StripeBook, forgets: bool) -> None:
    intent = opened()
    book.mishaps += [Mishap("confirm", loses_answer=True), Mishap("refund", loses_answer=True)]
    assert GATEWAY.authorize(intent).kind is UNKNOWN
    if forgets:
        book.keys.clear()
    assert sums(GATEWAY.authorize(intent)) == (SETTLED, 1000, 0)
    assert GATEWAY.refund(intent, "refund-1", 300).kind is UNKNOWN
    if forgets:
        book.keys.clear()
    assert sums(GATEWAY.refund(intent, "refund-1", 300)) == (SETTLED, 1000, 300)
    assert [one["amount"] for one in book.refunds] == [300]


@pytest.mark.parametrize("forgets", [False, True])
def test_a_lost_answer_leads_to_one_capture(book: StripeBook, forgets: bool) -> None:
    intent = opened(stripe_book.PARTS, capture=False)
    held = GATEWAY.authorize(intent)
    assert (held.kind, held.captured, held.captures_once) == (SETTLED, 0, False)
    assert held.expires_at
    book.mishaps.append(Mishap("capture", loses_answer=True))
    assert GATEWAY.capture(intent, "capture-1", 300).kind is UNKNOWN
    if forgets:
        book.keys.clear()
    for _ in range(2):
        assert sums(GATEWAY.capture(intent, "capture-1", 300)) == (SETTLED, 300, 0)
    assert sums(GATEWAY.capture(intent, "capture-2", 200)) == (SETTLED, 500, 0)
    assert sums(GATEWAY.void(intent)) == (SETTLED, 500, 0)
    assert sums(GATEWAY.capture(intent, "capture-1", 300)) == (SETTLED, 500, 0)
    assert GATEWAY.capture(intent, "capture-3", 1).kind is DECLINED


def test_an_ordinary_hold_is_captured_once_and_the_rest_released(book: StripeBook) -> None:
    intent = opened(capture=False)
    assert GATEWAY.authorize(intent).captures_once
    assert sums(GATEWAY.capture(intent, "capture-1", 300)) == (SETTLED, 300, 0)
    assert GATEWAY.capture(intent, "capture-2", 200).kind is DECLINED
    assert sums(GATEWAY.refund(intent, "refund-1", 100)) == (SETTLED, 300, 100)
    assert sums(GATEWAY.look_up(intent)) == (SETTLED, 300, 100)
    assert GATEWAY.refund(intent, "refund-2", 201).kind is DECLINED


def test_a_refund_that_stripe_gave_up_has_failed_and_is_tried_again_by_another_id(book: StripeBook) -> None:
    intent = opened()
    GATEWAY.authorize(intent)
    assert GATEWAY.refund(intent, "refund-1", 400).kind is SETTLED
    book.refunds[0]["status"] = "failed"
    book.intents[intent.reference or ""]["latest_charge"]["amount_refunded"] = 0
    assert sums(GATEWAY.refund(intent, "refund-1", 400)) == (DECLINED, 1000, 0)
    assert sums(GATEWAY.refund(intent, "refund-1-2", 400)) == (SETTLED, 1000, 400)
    assert [one["status"] for one in book.refunds] == ["failed", "succeeded"]


def test_the_time_outs_of_a_call_add_up_to_less_than_the_function_s() -> None:
    connect, read = stripe_client.CONNECT_SECONDS, stripe_client.READ_SECONDS
    functions = [r for r in expanded()["Resources"].values() if r["Type"] == "AWS::Lambda::Function"]
    shortest = min(r["Properties"]["Timeout"] for r in functions)
    looked_up_and_confirmed = 4 * (connect + read) + connect + stripe_client.CONFIRM_SECONDS
    voided_and_refunded = 7 * (connect + read)
    assert max(looked_up_and_confirmed, voided_and_refunded) < shortest
