"""What payment providers send: signed, in any order, any number of times, and about their own payments only."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from standardwebhooks.webhooks import Webhook

from orders import settings
from orders.adapters import stripe_client
from orders.adapters.payments.stripe import GATEWAY
from orders.domain.events import PROVIDERS_SOURCE
from orders.services import charging
from orders.services.changes import utc_now
from tests.harness import stripe_book
from tests.harness.caches import forget
from tests.harness.events import ALL_TAKEN, a_batch, a_message, http_event, invoke
from tests.harness.stripe_book import SHAPES, StripeBook
from tests.harness.world import World
from tests.providers.webhooks import signature

SECRET, OLD_SECRET, GENERIC_SECRET = "whsec_new", "whsec_old", "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="
SONG = {"name": "Song", "unit_price": {"amount": 300, "currency": "USD"}, "stock": 10, "requires_shipping": False}
KEY = "POST /payments/{provider}/events"


@pytest.fixture
def book(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[StripeBook]:
    """Stripe, as the provider of this deployment."""
    with stripe_book.served() as found:
        monkeypatch.setenv("PAYMENT_PROVIDER", "stripe")
        monkeypatch.setenv("STRIPE_API_BASE", found.url)
        monkeypatch.setenv("STRIPE_SECRET_KEY", stripe_book.KEY)
        monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", f"{SECRET} {OLD_SECRET}")
        yield found
    forget(stripe_client)


def stripe_event(kind: str, thing: dict[str, Any], event_id: str = "evt_1") -> str:
    return json.dumps(SHAPES["event"] | {"id": event_id, "type": kind, "created": int(time.time()), "data": {"object": thing}})


def post(body: str, signed: str | None = None, provider: str = "stripe", **headers: str) -> tuple[int, Any]:
    said = {"stripe-signature": signed if signed is not None else signature(body, SECRET), **headers}
    event = http_event(KEY, path={"provider": provider}, headers=said, body=body)
    answer = invoke("receive_payment_event", event)
    return answer["statusCode"], json.loads(answer["body"])


def deliver(world: World) -> None:
    """The bus brings what was put on it to its consumer, twice."""
    entries = [entry for entry in world.bus.taken if entry["Source"] == PROVIDERS_SOURCE]
    world.bus.taken.clear()
    for entry in entries * 2:
        message = {"detail-type": entry["DetailType"], "source": entry["Source"], "detail": json.loads(entry["Detail"])}
        assert invoke("on_payment_event", a_batch([a_message(message)])) == ALL_TAKEN


def waiting(world: World, book: StripeBook) -> dict[str, Any]:
    """Stripe's intent of an order that waits for its customer."""
    world.place("order-1", token=stripe_book.ASKS)
    world.step("reserve_stock")
    world.step("charge_payment", outcomes=True)
    world.step("await_payment", task_token="wait-1", seconds=3600)
    (intent,) = book.intents.values()
    return intent


def paid(world: World, book: StripeBook) -> dict[str, Any]:
    world.place("order-1", token=stripe_book.GOOD)
    world.step("reserve_stock")
    world.step("charge_payment", outcomes=True)
    (intent,) = book.intents.values()
    return intent


def test_a_confirmed_payment_goes_on_once_however_often_it_is_said(world: World, book: StripeBook) -> None:
    intent = waiting(world, book)
    book.authenticate(intent["id"])
    for event_id in ("evt_1", "evt_1", "evt_2"):
        assert post(stripe_event("payment_intent.succeeded", intent, event_id)) == (200, {"accepted": True})
    deliver(world)
    found = world.snapshot()
    assert found.order.status == "PROCESSING"
    assert found.payment
    assert found.payment.amount_captured == found.order.total.amount
    assert world.trail().count("PAYMENT_COMPLETED") == 1


def test_a_payment_that_failed_ends_its_order(world: World, book: StripeBook) -> None:
    intent = waiting(world, book)
    book.authenticate(intent["id"], success=False)
    assert post(stripe_event("payment_intent.payment_failed", intent)) == (200, {"accepted": True})
    deliver(world)
    found = world.snapshot()
    assert found.payment
    assert (found.payment.status, found.payment.failure_reason) == ("FAILED", "Your card was declined.")


def test_an_intent_that_people_cancel_on_stripe_s_pages_ends_its_order(world: World, book: StripeBook) -> None:
    intent = waiting(world, book)
    book.call("POST", f"/v1/payment_intents/{intent['id']}/cancel", {}, None, stripe_book.KEY)
    assert post(stripe_event("payment_intent.canceled", intent)) == (200, {"accepted": True})
    deliver(world)
    payment = world.snapshot().payment
    assert payment
    assert payment.status == "FAILED"
    assert payment.failure_reason


def test_what_changed_is_looked_up_and_not_believed(world: World, book: StripeBook) -> None:
    intent = waiting(world, book)
    claimed = intent | {"status": "succeeded"}
    for event_id, kind in enumerate(("payment_intent.requires_action", "payment_intent.succeeded", "payment_intent.canceled")):
        assert post(stripe_event(kind, claimed, f"evt_{event_id}")) == (200, {"accepted": True})
    deliver(world)
    assert world.snapshot().order.status == "PENDING"
    book.authenticate(intent["id"])
    assert post(stripe_event("payment_intent.amount_capturable_updated", intent, "evt_9")) == (200, {"accepted": True})
    deliver(world)
    assert world.snapshot().order.status == "PROCESSING"


@pytest.mark.parametrize("is_digital", [False, True])
def test_a_webhook_that_comes_before_the_intent_s_id_was_kept_is_matched_by_its_metadata(
    world: World, book: StripeBook, monkeypatch: pytest.MonkeyPatch, is_digital: bool
) -> None:
    if is_digital:
        # What is delivered at once is paid at once, however all the rest is captured.
        monkeypatch.setenv("CAPTURE_MODE", "on_shipment")
        world.http("PUT /products/{id}", "song", SONG, by="amy", groups=["admin"])
    world.place("order-1", token=stripe_book.GOOD, product="song" if is_digital else None)
    world.step("reserve_stock")
    order = world.order()
    begun = charging.payment_for(order, utc_now())
    asked = charging.intent_of(order, begun)
    GATEWAY.authorize(replace(asked, reference=GATEWAY.open(asked)))
    (intent,) = book.intents.values()
    assert world.snapshot().payment is None
    assert post(stripe_event("payment_intent.succeeded", intent)) == (200, {"accepted": True})
    deliver(world)
    world.step("charge_payment", outcomes=True)
    payment = world.snapshot().payment
    assert payment
    assert (payment.provider_reference, payment.status, payment.is_captured_later) == (intent["id"], "COMPLETED", False)
    assert book.calls.count("confirm") == len(book.intents) == 1


def test_what_a_second_intent_took_of_a_paid_order_is_given_back(world: World, book: StripeBook) -> None:
    intent = paid(world, book)
    second = book.call(
        "POST",
        "/v1/payment_intents",
        {
            "amount": str(intent["amount"]),
            "currency": "usd",
            "payment_method": stripe_book.GOOD,
            "metadata": intent["metadata"],
        },
        None,
        stripe_book.KEY,
    )
    assert second
    other = second[1]["id"]
    book.call("POST", f"/v1/payment_intents/{other}/confirm", {}, None, stripe_book.KEY)
    assert post(stripe_event("payment_intent.succeeded", book.intents[other])) == (200, {"accepted": True})
    deliver(world)
    assert [(one["payment_intent"], one["amount"]) for one in book.refunds] == [(other, intent["amount"])]
    payment = world.snapshot().payment
    assert payment
    assert (payment.provider_reference, payment.amount_refunded) == (intent["id"], 0)


def dispute_of(intent: dict[str, Any], status: str) -> dict[str, Any]:
    shape: dict[str, Any] = SHAPES["dispute"]
    return shape | {
        "payment_intent": intent["id"],
        "charge": intent["latest_charge"]["id"],
        "amount": intent["amount"],
        "status": status,
        "reason": "fraudulent",
    }


def test_a_dispute_stands_on_the_payment_until_it_is_decided_and_is_not_opened_again(
    world: World, book: StripeBook, capsys: pytest.CaptureFixture[str]
) -> None:
    intent = paid(world, book)
    assert post(stripe_event("charge.dispute.created", dispute_of(intent, "needs_response")))[0] == 200
    deliver(world)
    opened = world.http("GET /orders/{id}", "order-1").body["payment"]["dispute"]
    assert (opened["status"], opened["reason"], opened["amount"]["amount"]) == ("OPEN", "fraudulent", intent["amount"])
    payment = world.snapshot().payment
    assert payment
    assert payment.has_open_dispute
    assert capsys.readouterr().out.count('"payment_disputes_opened_total":[1.0]') == 1
    assert post(stripe_event("charge.dispute.closed", dispute_of(intent, "lost"), "evt_2"))[0] == 200
    assert post(stripe_event("charge.dispute.created", dispute_of(intent, "needs_response"), "evt_3"))[0] == 200
    deliver(world)
    closed = world.http("GET /orders/{id}", "order-1").body["payment"]["dispute"]
    assert closed["status"] == "LOST"
    assert closed["closed_at"] >= closed["opened_at"]
    assert [kind for kind in world.trail() if "DISPUTE" in kind] == ["DISPUTE_OPENED", "DISPUTE_CLOSED"]


def test_a_refund_that_fails_later_has_failed(world: World, book: StripeBook) -> None:
    intent = paid(world, book)
    asked = {"amount": {"amount": 500, "currency": "USD"}, "reason": "Late"}
    world.support("POST /orders/{id}/refunds", "order-1", asked)
    refund = book.refunds[0] | {"status": "failed", "failure_reason": "lost_or_stolen_card"}
    book.refunds[0] = refund
    assert post(stripe_event("refund.failed", refund)) == (200, {"accepted": True})
    assert post(stripe_event("charge.refunded", intent["latest_charge"], "evt_2")) == (200, {"accepted": True})
    deliver(world)
    found = world.snapshot()
    assert [(one.status, one.failure_reason) for one in found.refunds] == [("FAILED", "lost_or_stolen_card")]
    assert found.payment
    assert (found.payment.amount_refunded, found.payment.status) == (0, "COMPLETED")


def test_a_refund_that_people_make_on_stripe_s_pages_is_the_payment_s_too(world: World, book: StripeBook) -> None:
    intent = paid(world, book)
    world.support("POST /orders/{id}/refunds", "order-1", {"amount": {"amount": 500, "currency": "USD"}, "reason": "Late"})
    by_hand = {"payment_intent": intent["id"], "amount": "700"}
    assert book.call("POST", "/v1/refunds", by_hand, None, stripe_book.KEY)
    for event_id in ("evt_1", "evt_2"):
        assert post(stripe_event("charge.refunded", intent["latest_charge"], event_id)) == (200, {"accepted": True})
    deliver(world)
    found = world.http("GET /orders/{id}", "order-1").body
    assert [(one["status"], one["amount"]["amount"]) for one in found["refunds"]] == [("COMPLETED", 500), ("COMPLETED", 700)]
    assert (found["payment"]["status"], found["payment"]["amount_refunded"]["amount"]) == ("PARTIALLY_REFUNDED", 1200)
    all_of_it = {"amount": {"amount": intent["amount"], "currency": "USD"}, "reason": "Late"}
    assert world.support("POST /orders/{id}/refunds", "order-1", all_of_it).status == 409


@pytest.mark.parametrize("own", [None, "https://shop.example/thanks"])
def test_a_customer_comes_back_to_the_shop_s_page_or_to_the_order_s(
    world: World, book: StripeBook, monkeypatch: pytest.MonkeyPatch, own: str | None
) -> None:
    monkeypatch.setenv("PAGES_URL", "https://orders.example")
    payment = {"method": "CREDIT_CARD", "token": stripe_book.ASKS} | ({"return_url": own} if own else {})
    tracking = world.place("order-1", payment=payment).body["tracking_url"]
    world.step("reserve_stock")
    world.step("charge_payment", outcomes=True)
    (intent,) = book.intents.values()
    back = intent["next_action"]["redirect_to_url"]["return_url"]
    assert back == (own or f"https://orders.example{tracking}")


def listed(world: World, status: str) -> list[str]:
    answer = world.support("GET /orders", query={"dispute_status": status})
    return [order["order_id"] for order in answer.body["orders"]]


def test_the_desk_lists_the_disputed_orders_of_a_status(world: World, book: StripeBook) -> None:
    intent = paid(world, book)
    assert listed(world, "open") == []
    for event_id, (kind, status, found) in enumerate(
        (("created", "needs_response", (["order-1"], [])), ("closed", "lost", ([], ["order-1"])))
    ):
        assert post(stripe_event(f"charge.dispute.{kind}", dispute_of(intent, status), f"evt_{event_id}"))[0] == 200
        deliver(world)
        assert (listed(world, "open"), listed(world, "LOST")) == found
    assert world.http("GET /orders", query={"dispute_status": "open"}).status == 403
    assert world.support("GET /orders", query={"dispute_status": "ajar"}).fields == ["dispute_status"]
    both = {"dispute_status": "open", "return_status": "requested"}
    assert world.support("GET /orders", query=both).status == 400


def test_nothing_is_refunded_while_the_payment_is_disputed(world: World, book: StripeBook) -> None:
    intent = paid(world, book)
    assert post(stripe_event("charge.dispute.created", dispute_of(intent, "needs_response")))[0] == 200
    deliver(world)
    asked = {"amount": {"amount": 500, "currency": "USD"}, "reason": "Late"}
    assert world.support("POST /orders/{id}/refunds", "order-1", asked).status == 409
    assert book.refunds == []


def test_signatures(world: World, book: StripeBook) -> None:
    intent = paid(world, book)
    body = stripe_event("payment_intent.succeeded", intent)
    for good in (signature(body, OLD_SECRET), signature(body, "whsec_of_nobody", SECRET)):
        assert post(body, good) == (200, {"accepted": True})
    for bad in (
        "",
        "t=,v1=",
        signature(body, "whsec_of_nobody"),
        signature(body + " ", SECRET),
        signature(body, SECRET, at=time.time() - 301),
        signature(body, SECRET, at=time.time() + 330),
        signature(body, SECRET).replace("v1=", "v0="),
    ):
        assert post(body, bad)[0] == 401, bad
    for malformed in ("[]", "{}", '{"type":"payment_intent.succeeded","id":"evt_1","data":{"object":{"id":7}}}', "{"):
        assert post(malformed)[0] == 400, malformed
    assert post(" " * (256 * 1024 + 1))[0] == 413
    assert post(body, provider="nobody")[0] == 404


def test_what_is_not_ours_is_taken_and_comes_to_nothing(world: World, book: StripeBook) -> None:
    intent = paid(world, book)
    before = world.trail()
    for event_id, thing in enumerate(
        (
            intent | {"metadata": {}, "id": "pi_of_another_shop"},
            intent | {"metadata": {"order_id": "nobody-s"}},
            intent | {"metadata": {"order_id": "no order's id"}},
        )
    ):
        assert post(stripe_event("payment_intent.succeeded", thing, f"evt_{event_id}")) == (200, {"accepted": False})
    assert post(stripe_event("customer.created", {"id": "cus_1"})) == (200, {"accepted": False})
    # Another system's intent that names one of our orders, and not our payment.
    assert (
        post(stripe_event("payment_intent.succeeded", intent | {"id": "pi_2", "metadata": {"order_id": "order-1"}}))[0] == 200
    )
    deliver(world)
    assert world.trail() == [*before, "PAYMENT_REPORTED"]


def test_a_sender_moves_its_own_payments_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{settings.payment_secrets_prefix()}generic-webhooks"
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=GENERIC_SECRET)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", SECRET)
    world.place("order-1", token="tok_requires_action")
    world.step("reserve_stock")
    world.step("charge_payment", outcomes=True)
    world.step("await_payment", task_token="wait-1", seconds=3600)
    of_stripe = SHAPES["payment_intent"] | {"metadata": {"order_id": "order-1"}}
    assert post(stripe_event("payment_intent.succeeded", of_stripe)) == (200, {"accepted": False})
    said = json.dumps({"event_type": "payment.confirmed", "event_id": "e-1", "order_id": "order-1"})
    signed = {
        "webhook-id": "m-1",
        "webhook-timestamp": str(int(time.time())),
        "webhook-signature": Webhook(GENERIC_SECRET).sign("m-1", utc_now(), said),
    }
    assert post(said, provider="generic", **signed) == (200, {"accepted": True})
    assert post(said, provider="generic", **signed | {"webhook-signature": "v1,nobody"})[0] == 401
    deliver(world)
    assert world.snapshot().order.status == "PROCESSING"


def test_what_only_a_provider_says_is_believed_of_our_own_receiver_only(world: World) -> None:
    world.place("order-1")
    dispute = {"dispute_id": "d-1", "status": "OPEN", "opened_at": "2026-11-20T12:00:00Z"}
    said = {"event_type": "payment.disputed", "order_id": "order-1", "dispute": dispute}
    message = {"detail-type": "payment.disputed", "source": "a.warehouse", "detail": said}
    assert invoke("on_payment_event", a_batch([a_message(message)])) != ALL_TAKEN
    assert world.trail() == ["ORDER_PLACED"]
