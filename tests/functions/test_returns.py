"""Returns through the API: asked for by customers, approved or declined by staff."""

from typing import Any

import pytest

from orders.domain.errors import ConstraintViolated
from orders.domain.statuses import OrderStatus
from orders.services import privacy
from tests.harness.world import STRANGER, Answer, World

RETURNS = "POST /orders/{id}/returns"
APPROVE, DECLINE, CANCEL = (f"{RETURNS}/{{return_id}}/{verb}" for verb in ("approve", "decline", "cancel"))
ONE_PIECE = {"items": [{"line_id": "1", "quantity": 1, "reason": "Too small"}], "note": "At the back door,\nafter six"}
KEY = {"idempotency-key": "k-1"}


def delivered(world: World) -> None:
    """An order of two teapots that has arrived."""
    world.stock("teapot", 100)
    world.live(OrderStatus.DELIVERED, product="teapot", quantity=2)


def which(world: World, place: int = -1) -> dict[str, str]:
    return {"id": "order-1", "return_id": world.snapshot().returns[place].return_id}


def by_staff(world: World, route: str, **body: str) -> Answer:
    return world.http(route, which(world), body, by="grace", groups=["support"])


def shown(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.text
    return [one["status"] for one in answer.body["returns"]]


def test_a_return_is_asked_for_and_declined_and_asked_for_again(world: World) -> None:
    """As Shopify's return requests: what was declined can be part of a new return, and is not declined again."""
    delivered(world)
    asked = world.http(RETURNS, "order-1", ONE_PIECE)
    assert shown(asked) == ["REQUESTED"]
    assert asked.body["returns"][0]["items"] == [{"line_id": "1", "quantity": 1, "reason": "Too small", "received": []}]
    assert shown(by_staff(world, DECLINE, reason="It was worn")) == ["DECLINED"]
    assert by_staff(world, APPROVE).status == by_staff(world, DECLINE).status == 409
    assert shown(world.http(RETURNS, "order-1", ONE_PIECE | {"items": [{"line_id": "1", "quantity": 2}]})) == [
        "DECLINED",
        "REQUESTED",
    ]
    assert world.trail()[-3:] == ["RETURN_REQUESTED", "RETURN_DECLINED", "RETURN_REQUESTED"]
    assert world.order().status is OrderStatus.DELIVERED


def test_what_staff_noted_of_a_return_is_theirs_and_what_its_customer_wrote_is_no_carrier_s(world: World) -> None:
    delivered(world)
    world.http(RETURNS, "order-1", ONE_PIECE)
    decided = by_staff(world, APPROVE, reason="A good customer")
    assert decided.body["returns"][0]["decision_reason"] == "A good customer"
    seen = world.http("GET /orders/{id}", "order-1").text + world.http("GET /orders/{id}/history", "order-1").text
    assert "A good customer" not in seen
    assert "At the back door" in seen


@pytest.mark.parametrize(
    ("items", "status", "field"),
    [
        ([{"line_id": "1", "quantity": 3}], 409, None),
        ([{"line_id": "2", "quantity": 1}], 400, "items.0.line_id"),
        ([{"line_id": "1", "quantity": 1}, {"line_id": "1", "quantity": 1}], 400, "items.1.line_id"),
        ([], 400, "items"),
        ([{"line_id": "1", "quantity": 0}], 400, "items.0.quantity"),
    ],
)
def test_what_cannot_be_returned_is_refused(world: World, items: list[object], status: int, field: str | None) -> None:
    delivered(world)
    refused = world.http(RETURNS, "order-1", {"items": items})
    assert refused.status == status, refused.text
    assert field is None or refused.fields == [field]
    assert world.snapshot().returns == ()


def test_a_repeated_request_asks_once(world: World) -> None:
    delivered(world)
    first = world.http(RETURNS, "order-1", ONE_PIECE, headers=KEY)
    again = world.http(RETURNS, "order-1", ONE_PIECE, headers=KEY)
    assert (again.body, again.headers["idempotent-replayed"]) == (first.body, "true")
    assert world.http(RETURNS, "order-1", ONE_PIECE | {"note": "Other"}, headers=KEY).status == 422
    approved = world.http(APPROVE, which(world), {}, by="grace", groups=["support"], headers=KEY)
    assert world.http(APPROVE, which(world), {}, by="grace", groups=["support"], headers=KEY).body == approved.body


def test_an_owner_who_returns_the_order_asks_for_it_and_staff_take_it_back(world: World) -> None:
    delivered(world)
    asked = world.http("POST /orders/{id}/return", "order-1", {"reason": "Too small"})
    assert (shown(asked), asked.order["status"]) == (["REQUESTED"], "DELIVERED")
    assert asked.body["returns"][0]["items"] == [{"line_id": "1", "quantity": 2, "reason": "Too small", "received": []}]
    assert world.http("POST /orders/{id}/return", "order-1", {}).status == 409
    taken = world.support("POST /orders/{id}/return", "order-1")
    assert (shown(taken), taken.order["status"]) == (["RECEIVED"], "RETURNED")
    world.unwind()
    over = world.http("GET /orders/{id}", "order-1")
    assert (shown(over), over.body["payment"]["status"]) == (["CLOSED"], "REFUNDED")
    world.add_up()


def test_its_owner_cancels_a_return_and_nobody_else(world: World) -> None:
    delivered(world)
    world.http(RETURNS, "order-1", ONE_PIECE)
    assert world.http(CANCEL, which(world), {}, by=STRANGER).status == 403
    assert world.http(APPROVE, which(world), {}).status == 403
    assert shown(world.http(CANCEL, which(world), {"reason": "I keep it"})) == ["CANCELED"]
    assert world.http(CANCEL, which(world) | {"return_id": "ret-none"}, {}).status == 404


def test_returns_are_approved_at_once_where_the_deployment_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTO_APPROVE_RETURNS", "true")
    delivered(world)
    assert shown(world.http(RETURNS, "order-1", ONE_PIECE)) == ["APPROVED"]


def test_the_window_is_the_deployment_s_and_staff_s_requests_have_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETURN_WINDOW_DAYS", "0")
    delivered(world)
    assert world.http(RETURNS, "order-1", ONE_PIECE).status == 409
    assert world.shop(RETURNS, "order-1", ONE_PIECE).status == 409
    assert shown(world.support(RETURNS, "order-1", ONE_PIECE)) == ["REQUESTED"]


def test_a_customer_with_an_open_return_is_erased_once_it_is_decided(world: World) -> None:
    delivered(world)
    world.http(RETURNS, "order-1", ONE_PIECE)
    with pytest.raises(ConstraintViolated, match="Still open: a return of order-1"):
        privacy.erase(world.order().customer_id, "grace")
    assert "PERSONAL_DATA_ERASED" not in world.trail()
    by_staff(world, DECLINE, reason="Worn by the lake")
    assert "At the back door" in str(world.everything())
    privacy.erase(world.order().customer_id, "grace")
    kept = str(world.everything())
    assert not any(text in kept for text in ("Too small", "At the back door", "Worn by the lake"))


RECEIVE = f"{RETURNS}/{{return_id}}/receive"


def received(world: World, *pieces: tuple[int, str], **more: Any) -> Answer:
    items = [{"line_id": "1", "quantity": count, "condition": condition} for count, condition in pieces]
    return world.http(RECEIVE, which(world), {"items": items} | more, by="wim", groups=["warehouse"])


def test_a_return_is_received_with_a_damaged_piece(world: World) -> None:
    """As Medusa's returns: the pieces of one are received or dismissed; both are given back, the dismissed not restocked."""
    delivered(world)
    world.http(RETURNS, "order-1", {"items": [{"line_id": "1", "quantity": 2}]})
    assert received(world, (2, "resellable")).status == 409, "nobody has approved it"
    by_staff(world, APPROVE)
    assert received(world, (1, "lost")).fields == ["items.0.condition"]
    assert received(world).fields == ["items"]
    half = received(world, (1, "damaged"))
    assert (shown(half), half.order["fulfillment_status"]) == (["RECEIVED"], "PARTIALLY_RETURNED")
    assert half.body["returns"][0]["items"][0]["received"] == [{"quantity": 1, "condition": "damaged"}]
    assert (world.pieces("teapot"), world.snapshot().refunds[0].amount.amount) == (98, 1000)
    assert received(world, (2, "resellable")).status == 409, "more than it is of"
    assert shown(received(world, (1, "resellable"))) == ["RECEIVED"]
    world.follow_up()
    world.unwind()
    over = world.http("GET /orders/{id}", "order-1")
    assert (shown(over), over.order["status"], over.body["payment"]["status"]) == (["CLOSED"], "RETURNED", "REFUNDED")
    assert [one["status"] for one in over.body["refunds"]] == ["COMPLETED"] * 2
    assert world.pieces("teapot") == 99, "the damaged one is not sold again"
    assert world.figures("teapot") == (0, 0)


def test_the_desk_lists_the_returns_of_a_status(world: World) -> None:
    delivered(world)
    world.http(RETURNS, "order-1", ONE_PIECE)
    query = {"return_status": "requested"}
    listed = world.support("GET /orders", query=query)
    assert [order["order_id"] for order in listed.body["orders"]] == ["order-1"]
    by_staff(world, DECLINE)
    assert world.support("GET /orders", query=query).body["orders"] == []
    assert world.http("GET /orders", query=query).status == 403
    assert world.support("GET /orders", query={"return_status": "CLOSED"}).fields == ["return_status"]
    assert world.support("GET /orders", query=query | {"status": "DELIVERED"}).fields == ["return_status"]
