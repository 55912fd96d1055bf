"""Stripe's adapter against a Stripe server that others wrote, run as a process of its own, and its own signed webhooks.

It knows no idempotency keys, no ``return_url`` and one capture of a hold: what it cannot show is shown in ``test_stripe.py``
and ``test_contracts.py``. Skipped, with a message, where it cannot be installed.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.parse import urlencode

import pytest

from local.stack.running import running
from local.stack.settings import Settings
from orders.adapters import stripe_client
from orders.adapters.payments.protocol import Intent
from orders.adapters.payments.stripe import GATEWAY
from orders.domain.events import PAYMENTS
from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.money import Money
from orders.domain.payment import GatewayOutcome, OutcomeKind
from orders.domain.statuses import PaymentMethod
from tests.harness.bodies import a_body
from tests.harness.caches import forget
from tests.harness.events import ALL_TAKEN, a_batch, a_message, http_event, invoke
from tests.harness.stacks import Api, Deployment, in_this_process, until
from tests.harness.world import World

PINNED = "localstripe==1.15.10"
KEY, SECRET = "sk_test_of_the_tests", "whsec_of_the_tests"
VISA, REFUSED, ASKS = "4242424242424242", "4000000000000341", "4000002500003155"
SETTLED, DECLINED = OutcomeKind.SETTLED, OutcomeKind.DECLINED


def free_port() -> int:
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::", 0))
        return int(probe.getsockname()[1])


def call(server: str, path: str, /, **params: str) -> Any:
    request = urllib.request.Request(f"{server}{path}", urlencode(params).encode() or None)  # noqa: S310 - loopback
    request.add_header("authorization", f"Bearer {KEY}")
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        text = response.read()
    return json.loads(text) if text.strip() else None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address. The tool is fetched once, into uv's own cache."""
    uvx = shutil.which("uvx", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uvx is None:
        pytest.skip("localstripe is not run: there is no uvx")
    tried = subprocess.run([uvx, "--from", PINNED, "python", "-c", ""], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"localstripe is not run, as it cannot be installed: {tried.stderr.strip()[-300:]}")
    port, folder = free_port(), tmp_path_factory.mktemp("localstripe")
    command = [uvx, "--from", PINNED, "localstripe", "--port", str(port), "--from-scratch"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        _await(process, url)
        yield url
    finally:
        process.terminate()
        process.wait()


def _await(process: "subprocess.Popen[bytes]", url: str) -> None:
    while process.poll() is None:
        try:
            call(url, "/v1/payment_intents")
        except urllib.error.URLError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("localstripe has ended")


@pytest.fixture
def stripe(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("STRIPE_API_BASE", server)
    monkeypatch.setenv("STRIPE_SECRET_KEY", KEY)
    yield server
    forget(stripe_client)


def card(url: str, number: str) -> str:
    """A payment method, as a page gets one from Stripe."""
    params = {"type": "card", "card[number]": number, "card[exp_month]": "12", "card[exp_year]": "2030", "card[cvc]": "123"}
    made: str = call(url, "/v1/payment_methods", **params)["id"]
    return made


def opened(url: str, number: str = VISA, *, capture: bool = True) -> Intent:
    asked = Intent(
        key="pay-1",
        order_id=OrderId("order-1"),
        customer_id=CustomerId("ada"),
        amount=Money(1000, "USD"),
        method=PaymentMethod.CREDIT_CARD,
        capture=capture,
        token=card(url, number),
    )
    return replace(asked, reference=GATEWAY.open(asked))


def authenticate(url: str, reference: str, *, success: bool = True) -> None:
    """The customer has been to their bank."""
    secret = call(url, f"/v1/payment_intents/{reference}")["client_secret"]
    call(url, f"/v1/payment_intents/{reference}/_authenticate", client_secret=secret, success=str(success).lower())


def sums(outcome: GatewayOutcome) -> tuple[OutcomeKind, int, int]:
    return outcome.kind, outcome.captured, outcome.refunded


def test_a_card_is_charged_at_once_and_once(stripe: str) -> None:
    intent = opened(stripe)
    assert GATEWAY.look_up(intent).kind is OutcomeKind.UNKNOWN
    assert [sums(GATEWAY.authorize(intent)) for _ in range(2)] == [(SETTLED, 1000, 0)] * 2
    assert sums(GATEWAY.look_up(intent)) == (SETTLED, 1000, 0)
    assert call(stripe, f"/v1/payment_intents/{intent.reference}")["metadata"]["order_id"] == "order-1"


def test_a_card_is_charged_though_the_way_back_is_not_taken(stripe: str) -> None:
    intent = replace(opened(stripe), return_url="https://shop.example/track/order-1")
    assert [sums(GATEWAY.authorize(intent)) for _ in range(2)] == [(SETTLED, 1000, 0)] * 2
    refused = replace(opened(stripe, REFUSED), return_url="https://shop.example/track/order-1")
    assert GATEWAY.authorize(refused).reason == "Your card was declined."


def test_money_is_held_and_captured_in_one_part_and_the_rest_is_no_refund(stripe: str) -> None:
    intent = opened(stripe, capture=False)
    held = GATEWAY.authorize(intent)
    assert (held.kind, held.captured, held.captures_once) == (SETTLED, 0, True)
    for _ in range(2):
        assert sums(GATEWAY.capture(intent, "capture-1", 600)) == (SETTLED, 600, 0)
    assert GATEWAY.capture(intent, "capture-2", 100).kind is DECLINED
    assert sums(GATEWAY.refund(intent, "refund-1", 200)) == (SETTLED, 600, 200)
    assert sums(GATEWAY.look_up(intent)) == (SETTLED, 600, 200)


def test_a_hold_that_is_voided_is_never_taken(stripe: str) -> None:
    intent = opened(stripe, capture=False)
    GATEWAY.authorize(intent)
    assert [sums(GATEWAY.void(intent)) for _ in range(2)] == [(SETTLED, 0, 0)] * 2
    assert GATEWAY.capture(intent, "capture-1", 600).kind is DECLINED


def test_a_declined_card_stays_declined(stripe: str) -> None:
    intent = opened(stripe, REFUSED)
    for outcome in (GATEWAY.authorize(intent), GATEWAY.authorize(intent), GATEWAY.look_up(intent)):
        assert (sums(outcome), outcome.reason) == ((DECLINED, 0, 0), "Your card was declined.")


@pytest.mark.parametrize(("success", "then"), [(True, (SETTLED, 1000, 0)), (False, (DECLINED, 0, 0))])
def test_3_d_secure_waits_for_the_customer(stripe: str, success: bool, then: tuple[OutcomeKind, int, int]) -> None:
    intent = opened(stripe, ASKS)
    asked = GATEWAY.authorize(intent)
    assert (asked.kind, asked.captured) == (OutcomeKind.ACTION_REQUIRED, 0)
    assert asked.next_action
    authenticate(stripe, intent.reference or "", success=success)
    assert sums(GATEWAY.look_up(intent)) == then


def test_parts_are_refunded_once_each_and_never_more_than_was_paid(stripe: str) -> None:
    intent = opened(stripe)
    GATEWAY.authorize(intent)
    for _ in range(2):
        assert sums(GATEWAY.refund(intent, "refund-1", 300)) == (SETTLED, 1000, 300)
    assert sums(GATEWAY.refund(intent, "refund-2", 700)) == (SETTLED, 1000, 1000)
    assert GATEWAY.refund(intent, "refund-3", 1).kind is DECLINED
    assert len(call(stripe, f"/v1/refunds?payment_intent={intent.reference}")["data"]) == 2


class _Receiver(BaseHTTPRequestHandler):
    received: "Queue[tuple[str, str]]" = Queue()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.received.put((body, self.headers["stripe-signature"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def webhooks(server: str) -> Iterator["Queue[tuple[str, str]]"]:
    """What the server's own sender sends, signed by it."""
    receiver = HTTPServer(("127.0.0.1", 0), _Receiver)
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    call(server, "/_config/webhooks/ours", url=f"http://127.0.0.1:{receiver.server_address[1]}/", secret=SECRET)
    _Receiver.received.queue.clear()
    yield _Receiver.received
    receiver.shutdown()
    receiver.server_close()
    thread.join()


def test_its_own_webhooks_confirm_a_payment_by_its_own_signature(
    world: World, stripe: str, webhooks: "Queue[tuple[str, str]]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYMENT_PROVIDER", "stripe")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", SECRET)
    world.place("order-1", token=card(stripe, ASKS))
    world.step("reserve_stock")
    world.step("charge_payment", outcomes=True)
    payment = world.snapshot().payment
    assert payment
    assert payment.status == "REQUIRES_ACTION"
    authenticate(stripe, payment.provider_reference or "")
    body, signature = _named(webhooks, payment.provider_reference or "")
    event = http_event(
        "POST /payments/{provider}/events", path={"provider": "stripe"}, headers={"stripe-signature": signature}, body=body
    )
    assert json.loads(invoke("receive_payment_event", event)["body"]) == {"accepted": True}
    assert invoke("receive_payment_event", event | {"body": body + " "})["statusCode"] == 401
    for entry in [one for one in world.bus.taken if one["Source"] == "orders.payments"] * 2:
        message = {"detail-type": entry["DetailType"], "source": entry["Source"], "detail": json.loads(entry["Detail"])}
        assert invoke("on_payment_event", a_batch([a_message(message)])) == ALL_TAKEN
    assert world.order().status == "PROCESSING"


def _named(webhooks: "Queue[tuple[str, str]]", reference: str) -> tuple[str, str]:
    """The webhook about that intent; those of other tests may come before it."""
    while True:
        body, signature = webhooks.get(timeout=30)
        if json.loads(body)["data"]["object"]["id"] == reference:
            return body, signature


# --- through a whole stack ---

AS_IN_PRODUCTION = {
    "PaymentProvider": "stripe",
    "CarrierProvider": "none",
    "PreparationMode": "warehouse",
    "CaptureMode": "on_shipment",
    "PaymentWaitSeconds": "0",
}
SONG = {"name": "Song", "unit_price": {"amount": 300, "currency": "USD"}, "stock": 10, "requires_shipping": False}


@pytest.fixture
def shop(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """A stack that is paid there, and gets its webhooks."""
    monkeypatch.setenv("STRIPE_SECRET_KEY", KEY)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", SECRET)
    with running(Settings(parameters=AS_IN_PRODUCTION | {"StripeApiBase": server})) as started:
        call(server, "/_config/webhooks/ours", url=f"{started.url}/payments/stripe/events", secret=SECRET)
        found = in_this_process(started)
        yield found
        found.close()
    forget(stripe_client)


def placed(shop: Deployment, url: str, number: str, **more: Any) -> str:
    """The id of an order whose customer has to go to their bank's page first."""
    order_id = str(shop.ada.post("/orders", a_body(token=card(url, number), **more)).json()["order"]["order_id"])
    found = until(lambda: _payment(shop.ada, order_id, "REQUIRES_ACTION"))
    assert found["payment"]["next_action"]["type"] == "use_stripe_sdk"
    assert found["order"]["status"] == "PENDING"
    authenticate(url, found["payment"]["provider_reference"])
    return order_id


def _payment(api: Api, order_id: str, status: str) -> dict[str, Any] | None:
    found = api.order(order_id)
    return found if found["payment"] and found["payment"]["status"] == status else None


def _author(api: Api, order_id: str, event_type: str) -> str | None:
    return next((one["triggered_by"] for one in api.history(order_id) if one["event_type"] == event_type), None)


def test_a_shop_is_paid_from_the_customers_bank_to_a_refund_in_part(shop: Deployment, server: str) -> None:
    assert shop.admin.put("/products/song", SONG).status_code == 200
    song, parcel = placed(shop, server, ASKS, product="song"), placed(shop, server, ASKS)
    # Of money that is only held this server sends nothing, so people ask. What was paid at once it reports by itself.
    assert shop.support.post(f"/orders/{parcel}/sync").status_code == 200
    held = until(lambda: _payment(shop.ada, parcel, "AUTHORIZED"))["payment"]
    assert held["amount_captured"]["amount"] == 0
    assert "next_action" not in held
    handed = {"items": [{"line_id": "1", "quantity": 1}], "tracking_number": "1Z999"}
    until(lambda: shop.support.post(f"/orders/{parcel}/shipments", handed).status_code == 200)
    # Such a hold is captured once: the first parcel takes what the second one is worth too.
    taken = shop.ada.order(parcel)
    assert (taken["order"]["fulfillment_status"], taken["payment"]["status"]) == ("PARTIALLY_SHIPPED", "COMPLETED")
    assert taken["payment"]["amount_captured"] == taken["order"]["total"]
    back = {"amount": {"amount": 400, "currency": "USD"}, "reason": "Scratched"}
    refunded = shop.support.post(f"/orders/{parcel}/refunds", back).json()
    assert [(one["status"], one["amount"]["amount"]) for one in refunded["refunds"]] == [("COMPLETED", 400)]
    reports = {song: "PAYMENT_COMPLETED", parcel: "PAYMENT_REPORTED"}
    for order_id, event_type in reports.items():
        assert until(partial(_author, shop.support, order_id, event_type)) == PAYMENTS
    assert shop.ada.order(song)["order"]["fulfillment_status"] == "DELIVERED"
