"""``Idempotency-Key`` on what moves money or goods, or makes something: done once, whatever the network does."""

import json
from dataclasses import replace
from typing import Any

import pytest

from orders.adapters.store import calls, orders, webhooks
from orders.domain.digests import CallRecord
from orders.domain.errors import OrderChanged
from orders.domain.events import EventType
from orders.domain.identifiers import OrderId
from orders.domain.order import Change
from orders.domain.statuses import OrderStatus
from orders.domain.webhooks import Webhook
from orders.services.changes import utc_now
from orders.web.routes import ROUTES
from tests.harness.world import CUSTOMER, STRANGER, World, machine_claims

KEY = {"idempotency-key": "key-1"}
CANCEL, RETURN = "POST /orders/{id}/cancel", "POST /orders/{id}/return"
STAFF: dict[str, Any] = {"by": "grace", "groups": ["support"]}
ADMIN: dict[str, Any] = {"by": "root", "groups": ["admin"]}


def shipped(world: World) -> dict[str, str]:
    parcel = world.live(OrderStatus.SHIPPED).shipment
    assert parcel
    return {"id": "order-1", "shipment_id": parcel.shipment_id}


def under_review(world: World) -> dict[str, str]:
    world.place(require_approval=True)
    world.follow_up()
    world.reserve_for_review()
    return {"id": "order-1"}


def lived(status: OrderStatus) -> Any:
    def live(world: World) -> dict[str, str]:
        world.live(status)
        return {"id": "order-1"}

    return live


def refused_a_refund(world: World) -> dict[str, str]:
    world.live(OrderStatus.DELIVERED, token="tok_refund_declined_1")
    return the_refund(world)


def owes_cash(world: World) -> dict[str, str]:
    world.live(OrderStatus.DELIVERED, method="CASH_ON_DELIVERY")
    return the_refund(world)


def the_refund(world: World) -> dict[str, str]:
    (refund,) = world.http("POST /orders/{id}/refunds", "order-1", {"reason": "Late"}, **STAFF).body["refunds"]
    return {"id": "order-1", "refund_id": refund["refund_id"]}


EMPTY: dict[str, tuple[Any, str]] = {
    "POST /orders/{id}/refunds/{refund_id}/retry": (refused_a_refund, "DELIVERED"),
    "POST /orders/{id}/refunds/{refund_id}/complete": (owes_cash, "DELIVERED"),
}
"""The routes whose body says nothing."""
CASES: dict[str, tuple[Any, str]] = {
    "POST /orders/{id}/refunds": (lived(OrderStatus.DELIVERED), "DELIVERED"),
    CANCEL: (lived(OrderStatus.PROCESSING), "CANCELLED"),
    RETURN: (lived(OrderStatus.DELIVERED), "RETURNED"),
    "POST /orders/{id}/approve": (under_review, "PENDING"),
    "POST /orders/{id}/reject": (under_review, "PENDING"),
    "POST /orders/{id}/delivered": (lived(OrderStatus.SHIPPED), "DELIVERED"),
    "POST /orders/{id}/shipments/{shipment_id}/returned": (shipped, "RETURNED"),
}


def test_every_post_that_moves_or_makes_something_takes_a_key() -> None:
    taking = {key for key, route in ROUTES.items() if "IdempotencyMismatch" in route.refusals}
    signed = {"POST /carriers/{carrier}/events", "POST /payments/{provider}/events"}
    without = {"POST /orders/{id}/sync", "POST /unsubscribe", *signed}
    keeping = {"PUT /products", "PUT /products/{id}"}
    assert taking == {key for key, route in ROUTES.items() if route.method == "POST"} - without | keeping


@pytest.mark.parametrize("route", CASES | EMPTY)
def test_a_repetition_gets_the_order_and_changes_nothing(world: World, route: str) -> None:
    before, status = (CASES | EMPTY)[route]
    path, body = before(world), {} if route in EMPTY else {"reason": "Bought twice"}
    first = world.http(route, path, body, headers=KEY, **STAFF)
    assert (first.status, first.order["status"]) == (200, status)
    assert "idempotent-replayed" not in first.headers
    held = world.everything()
    again = world.http(route, path, body, headers=KEY, **STAFF)
    assert (again.status, again.body, again.headers["idempotent-replayed"]) == (200, first.body, "true")
    assert again.headers["etag"] == first.headers["etag"]
    assert world.everything() == held


@pytest.mark.parametrize("route", CASES)
def test_another_body_under_the_key_is_refused(world: World, route: str) -> None:
    path = CASES[route][0](world)
    assert world.http(route, path, {"reason": "One"}, headers=KEY, **STAFF).status == 200
    held = world.everything()
    # A refund has to have a reason.
    silent: tuple[Any, ...] = () if route == "POST /orders/{id}/refunds" else ({}, None)
    for other in ({"reason": "Other"}, *silent):
        refused = world.http(route, path, other, headers=KEY, **STAFF)
        assert (refused.status, refused.code) == (422, "IDEMPOTENCY_MISMATCH")
    assert world.everything() == held


def test_a_repetition_long_after_gets_the_order_as_it_is_by_then(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    assert world.http(CANCEL, "order-1", headers=KEY).status == 200
    world.unwind()
    again = world.http(CANCEL, "order-1", headers=KEY | {"if-match": '"1"'})
    assert (again.status, again.body["payment"]["status"]) == (200, "REFUNDED")


def test_no_body_and_an_empty_one_are_the_same_and_so_is_another_order_of_members(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    assert world.http(CANCEL, "order-1", headers=KEY).status == 200
    assert world.http(CANCEL, "order-1", raw=" { } ", headers=KEY).headers["idempotent-replayed"] == "true"


def test_a_key_belongs_to_its_path(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    world.live(OrderStatus.PROCESSING, "order-2")
    for order_id in ("order-1", "order-2"):
        cancelled = world.http(CANCEL, order_id, headers=KEY)
        assert (cancelled.order["order_id"], cancelled.order["status"]) == (order_id, "CANCELLED")
        assert "idempotent-replayed" not in cancelled.headers
    assert world.http(RETURN, "order-1", headers=KEY).status == 409


def test_a_key_belongs_to_its_caller(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    assert world.http(CANCEL, "order-1", headers=KEY).status == 200
    for other in (STAFF, {"claims": machine_claims()}):
        assert world.http(CANCEL, "order-1", headers=KEY, **other).status == 409
    assert world.http(CANCEL, "order-1", headers=KEY, by=STRANGER).status == 403


def test_a_key_of_a_placed_order_is_no_key_of_a_change(world: World) -> None:
    world.place(headers=KEY)
    assert world.http(CANCEL, "order-1", headers=KEY).order["status"] == "CANCELLED"


def test_a_refused_request_uses_no_key_up(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    assert world.http(CANCEL, "order-1", headers=KEY).status == 409
    assert world.http(RETURN, "order-1", {"reasons": "x"}, headers=KEY).status == 400
    assert world.http(RETURN, "order-1", headers=KEY).status == 409
    world.go_on(OrderStatus.DELIVERED)
    assert world.http(RETURN, "order-1", {"reason": "Too small"}, headers=KEY).body["returns"][0]["status"] == "REQUESTED"


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a\tb", "é"])
def test_what_is_no_key_is_refused(world: World, key: str) -> None:
    world.live(OrderStatus.PROCESSING)
    refused = world.http(CANCEL, "order-1", headers={"idempotency-key": key})
    assert (refused.status, refused.body["errors"][0]["field"]) == (400, "Idempotency-Key")


# --- two at once ---


@pytest.mark.parametrize("moment", ["before it is looked up", "before the order is read", "before it is written"])
def test_of_two_at_once_both_get_what_one_of_them_did(world: World, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    world.live(OrderStatus.PROCESSING)
    module, name = {
        "before it is looked up": (calls, "find"),
        "before the order is read": (orders, "load"),
        "before it is written": (orders, "commit"),
    }[moment]
    real = getattr(module, name)

    def overtaken(*given: Any, **more: Any) -> Any:
        monkeypatch.setattr(module, name, real)
        first = world.http(CANCEL, "order-1", {"reason": "Bought twice"}, headers=KEY)
        assert "idempotent-replayed" not in first.headers
        return real(*given, **more)

    monkeypatch.setattr(module, name, overtaken)
    second = world.http(CANCEL, "order-1", {"reason": "Bought twice"}, headers=KEY)
    assert (second.status, second.headers["idempotent-replayed"]) == (200, "true")
    history = [event.type for event in orders.history(OrderId("order-1"))]
    assert history.count(EventType.ORDER_CANCELLED) == 1


def test_the_record_is_written_with_the_change_or_neither_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.live(OrderStatus.PROCESSING)
    held = world.everything()
    real = orders.commit

    def lost(change: Change, record: Any = None) -> None:
        assert isinstance(record, CallRecord)
        raise OrderChanged("lost")

    monkeypatch.setattr(orders, "commit", lost)
    assert world.http(CANCEL, "order-1", headers=KEY).status == 503
    assert world.everything() == held
    monkeypatch.setattr(orders, "commit", real)
    assert world.http(CANCEL, "order-1", headers=KEY).order["status"] == "CANCELLED"


def test_no_text_of_the_caller_s_is_kept(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    world.http(CANCEL, "order-1", {"reason": "Bought twice"}, headers={"idempotency-key": "Ada's own key"})
    (record,) = [item for item in world.everything() if item.get("kind") == {"S": "call"}]
    assert set(record) == {"PK", "SK", "kind", "digest", "result"}
    assert record["PK"] == {"S": f"IDEMPOTENCY#{CUSTOMER}"}
    assert "own key" not in json.dumps(record)


# --- webhooks ---

HOOK = {"url": "https://example.com/hook", "events": ["OrderStatusChanged"]}


def test_a_subscription_is_made_once_and_a_repetition_gets_its_secret_too(world: World) -> None:
    first = world.http("POST /webhooks", None, HOOK, headers=KEY, **ADMIN)
    again = world.http("POST /webhooks", None, HOOK, headers=KEY, **ADMIN)
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert len(world.http("GET /webhooks", **ADMIN).body["webhooks"]) == 1
    assert world.http("POST /webhooks", None, HOOK | {"events": []}, headers=KEY, **ADMIN).status == 422
    other = world.shop("POST /webhooks", body=HOOK, headers=KEY)
    assert other.body["webhook_id"] != first.body["webhook_id"]


def test_a_secret_is_renewed_once_and_shown_for_as_long_as_it_counts(world: World) -> None:
    made = world.http("POST /webhooks", None, HOOK, headers=KEY, **ADMIN).body
    rotate = "POST /webhooks/{id}/rotate"
    first = world.http(rotate, made["webhook_id"], headers=KEY, **ADMIN).body
    assert world.http(rotate, made["webhook_id"], headers=KEY, **ADMIN).body == first
    assert first["secret"] != made["secret"]
    assert world.http("POST /webhooks", None, HOOK, headers=KEY, **ADMIN).body["secret"] == made["secret"]

    def a_day_later(webhook: Webhook) -> Webhook:
        return replace(webhook, secrets=tuple(replace(one, until=one.until and utc_now()) for one in webhook.secrets))

    webhooks.change(made["webhook_id"], a_day_later)
    assert "secret" not in world.http("POST /webhooks", None, HOOK, headers=KEY, **ADMIN).body
    assert world.http(rotate, made["webhook_id"], headers=KEY, **ADMIN).body["secret"] == first["secret"]


def test_what_a_key_led_to_may_be_gone(world: World) -> None:
    made = world.http("POST /webhooks", None, HOOK, headers=KEY, **ADMIN).body
    assert world.http("DELETE /webhooks/{id}", made["webhook_id"], **ADMIN).status == 204
    assert world.http("POST /webhooks", None, HOOK, headers=KEY, **ADMIN).status == 404
