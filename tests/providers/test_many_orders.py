"""200 orders paid at Stripe, by the seed, with functions that are killed, answers that are lost, and webhooks that come first,
late, twice or never: one intent and one charge each, and both books say the same.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest
import stripe

from orders.adapters import bus, stripe_client
from orders.domain.actors import Actor
from orders.domain.decisions import placing
from orders.domain.errors import OrderOver, TransientError
from orders.domain.events import PROVIDERS_SOURCE
from orders.domain.identifiers import OrderId
from orders.domain.statuses import UNSETTLED, OrderStatus, OverallStatus
from orders.domain.steps import PaymentDeclined
from orders.services import charging, commands, failing, fulfilling, payment_events, payment_receipts, refunding
from orders.services.changes import SeenAt
from orders.web import payment_schema
from tests.harness import stripe_book
from tests.harness.caches import forget
from tests.harness.memory_store import MemoryStore, in_memory
from tests.harness.orders import START, WAITS, a_wish, without_pauses
from tests.harness.stripe_book import SHAPES, Mishap, StripeBook, params_of
from tests.providers.webhooks import signature

SEED, ORDERS, SECRET = 20261122, 200, "whsec_of_the_tests"
TOKENS = (stripe_book.GOOD,) * 6 + (stripe_book.DECLINED, stripe_book.ASKS, stripe_book.ASKS, stripe_book.LATER)
CALLS = ("create", "confirm", "retrieve", "cancel", "refund")


class Killed(BaseException):
    """The function's environment died after the provider had done what it was asked."""


@dataclass
class Storm:
    """What goes wrong, by the seed."""

    memory: MemoryStore
    book: StripeBook
    dice: Random
    sent: list[str] = field(default_factory=list)
    """Webhooks that the provider has sent and nobody has brought yet."""
    published: list[dict[str, Any]] = field(default_factory=list)

    def told(self, kind: str, thing: dict[str, Any]) -> None:
        number = len(self.book.calls)
        event = SHAPES["event"] | {"id": f"evt_{number}", "type": kind, "created": int(time.time()), "data": {"object": thing}}
        self.sent += [json.dumps(event)] * self.dice.choice((0, 1, 1, 2))

    def publish(self, events: Any, source: str) -> None:
        assert source == PROVIDERS_SOURCE
        self.published += [{"detail-type": kind, "source": source, "detail": detail} for kind, detail, _ in events]

    def bring(self, share: float = 1.0) -> None:
        """Some of the webhooks arrive, in any order."""
        self.dice.shuffle(self.sent)
        arriving, self.sent = self.sent[: round(len(self.sent) * share)], self.sent[round(len(self.sent) * share) :]
        for body in arriving:
            payment_receipts.receive("stripe", body.encode(), {"stripe-signature": signature(body, SECRET)})
        messages, self.published = self.published, []
        for message in messages:
            report = payment_schema.read_message(json.dumps(message))
            self.persist(partial(payment_events.take, report), brings=False)

    def persist(self, call: Callable[[], object], *, brings: bool = True) -> None:
        """What machines and queues do with what fails: it is tried again, while webhooks come in between."""
        if self.dice.random() < 0.3:
            self.book.mishaps.append(Mishap(self.dice.choice(CALLS), *self.dice.choice(((0, True), (503, False)))))
        for _ in range(20):
            with suppress(TransientError, Killed):
                call()
                break
            if brings and self.dice.random() < 0.5:
                self.bring(0.5)
        else:
            raise AssertionError("it never went through")
        self.book.mishaps.clear()


class Direct(stripe.HTTPClient):
    """Takes what Stripe's client asks to the book without a connection: those are shown in ``test_stripe.py``."""

    name = "direct"

    def __init__(self, book: StripeBook) -> None:
        super().__init__()
        self._book = book

    def request(
        self, method: str, url: str, headers: Any, post_data: Any = None, *, _usage: list[str] | None = None
    ) -> tuple[str, int, Mapping[str, str]]:
        address, bearer = urlsplit(url), headers["Authorization"].removeprefix("Bearer ")
        asked = params_of(post_data or address.query)
        answer = self._book.call(method.upper(), address.path, asked, headers.get("Idempotency-Key"), bearer)
        if answer is None:
            raise stripe.APIConnectionError("The connection was closed.", should_retry=False)  # type: ignore[no-untyped-call]
        return json.dumps(answer[1]), answer[0], {}


@pytest.fixture
def storm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storm]:
    without_pauses(monkeypatch)
    book = StripeBook()
    monkeypatch.setattr(stripe, "RequestsClient", lambda **_: Direct(book))
    with in_memory() as memory:
        monkeypatch.setenv("PAYMENT_PROVIDER", "stripe")
        monkeypatch.setenv("STRIPE_SECRET_KEY", stripe_book.KEY)
        monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", SECRET)
        found = Storm(memory, book, Random(SEED))  # noqa: S311 - to be had again
        book.listener = found.told
        monkeypatch.setattr(bus, "publish", found.publish)
        for name in ("create", "confirm", "cancel", "refund"):
            monkeypatch.setattr(stripe_client, name, _mortal(getattr(stripe_client, name), found.dice))
        yield found
    forget(stripe_client)


def _mortal(call: Callable[..., Any], dice: Random) -> Callable[..., Any]:
    def mortal(*arguments: Any) -> Any:
        result = call(*arguments)
        if dice.random() < 0.15:
            raise Killed
        return result

    return mortal


def charge(order_id: OrderId) -> None:
    """The step, and where the machine goes on after a refusal."""
    try:
        charging.charge_payment(order_id, waits=True)
    except PaymentDeclined as declined:
        with suppress(OrderOver):
            failing.begin_unwinding(order_id, PaymentDeclined.__name__, failing.report_of(declined))
    except OrderOver:
        """It was closed in the meantime: the unwinding looks after its money."""


def live(storm: Storm, order_id: OrderId) -> None:
    """One order, until its money is decided."""
    memory, dice = storm.memory, storm.dice
    memory.commit(placing.place(a_wish(order_id=order_id, payment_token=dice.choice(TOKENS)), WAITS, START, by="ada"))
    fulfilling.reserve_stock(order_id)
    storm.persist(lambda: charge(order_id))
    found = memory.load(order_id)
    if found.payment and found.payment.status == "REQUIRES_ACTION":
        storm.book.authenticate(found.payment.provider_reference or "", success=dice.random() < 0.8)
    if dice.random() < 0.5:
        storm.bring(0.7)
    if dice.random() < 0.2 and not memory.load(order_id).order.is_over:
        commands.cancel(order_id, Actor("ada"), None, SeenAt())


def settle(storm: Storm, order_id: OrderId) -> None:
    """What the sweep and the unwinding do in the end, whatever was lost."""
    found = storm.memory.load(order_id)
    if not found.order.is_over and found.payment and found.payment.status in UNSETTLED:
        storm.persist(lambda: charge(order_id))
    if storm.memory.load(order_id).order.overall is OverallStatus.ROLLING_BACK:
        storm.persist(lambda: refunding.unwind_payment(order_id))


def check(storm: Storm, order_id: OrderId) -> bool:
    """Whether the order is kept; its books are equal in any case."""
    ours = [one for one in storm.book.intents.values() if one["metadata"]["order_id"] == order_id]
    assert len(ours) == 1, order_id
    found, (intent,) = storm.memory.load(order_id), ours
    payment, total = found.payment, found.order.total.amount
    assert payment
    assert payment.provider_reference == intent["id"]
    given = sum(one["amount"] for one in storm.book.refunds if one["payment_intent"] == intent["id"])
    is_kept = found.order.status is OrderStatus.PROCESSING and not found.order.is_over
    assert intent["amount_received"] in (0, total)
    assert intent["amount_received"] - given == payment.left == (total if is_kept else 0), (order_id, payment.status)
    return is_kept


def test_each_order_has_one_intent_and_one_charge_and_the_books_are_equal(storm: Storm) -> None:
    names = [OrderId(f"order-{number}") for number in range(ORDERS)]
    for name in names:
        live(storm, name)
    storm.bring()
    for name in names:
        settle(storm, name)
    storm.bring()
    for name in names:
        settle(storm, name)
    kept = sum(check(storm, name) for name in names)
    assert ORDERS / 3 < kept < ORDERS
    assert len(storm.book.refunds) > ORDERS / 20
