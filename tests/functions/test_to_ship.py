"""The queue of what is to be shipped, and where the carrier of a parcel shows it."""

from typing import Any

from orders.domain.statuses import OrderStatus
from tests.harness.world import World


def waiting(world: World, order_id: str) -> None:
    """A paid order that waits for its warehouse."""
    world.live(OrderStatus.PROCESSING, order_id)
    world.step("await_warehouse", order_id, task_token=f"warehouse-{order_id}", run=1)


def to_ship(world: World, **more: str) -> Any:
    return world.support("GET /orders", query={"to_ship": "true", **more}).body


def ids(body: Any) -> list[str]:
    return [order["order_id"] for order in body["orders"]]


def test_orders_that_wait_for_their_warehouse_are_a_queue_the_oldest_first(world: World) -> None:
    for order_id in ("order-1", "order-2", "order-3"):
        waiting(world, order_id)
    world.live(OrderStatus.PROCESSING, "order-4")
    assert ids(to_ship(world)) == ["order-1", "order-2", "order-3"], "of the fourth the machine takes care"
    first = to_ship(world, limit="2")
    assert ids(first) == ["order-1", "order-2"]
    assert ids(to_ship(world, limit="2", cursor=first["next_cursor"])) == ["order-3"]
    world.support("POST /orders/{id}/hold", "order-1", {"reason": "The address looks odd"})
    part = {"items": [{"line_id": "1", "quantity": 1}]}
    assert world.support("POST /orders/{id}/shipments", "order-2", part).status == 200
    assert ids(to_ship(world)) == ["order-2", "order-3"], "what is on hold cannot be shipped"
    assert world.support("POST /orders/{id}/shipments", "order-2", {}).order["status"] == "SHIPPED"
    assert ids(to_ship(world)) == ["order-3"]


def test_the_queue_is_for_staff_and_goes_with_no_other_filter(world: World) -> None:
    assert world.http("GET /orders", query={"to_ship": "true"}).status == 403
    assert world.support("GET /orders", query={"to_ship": "yes"}).fields == ["to_ship"]
    assert world.support("GET /orders", query={"to_ship": "true", "status": "PROCESSING"}).fields == ["to_ship"]


def test_a_parcel_leads_to_its_carrier_s_page_where_that_is_known(world: World) -> None:
    waiting(world, "order-1")
    sent = {"items": [{"line_id": "1", "quantity": 1}], "carrier": "DHL Express", "tracking_number": "JD 01/2"}
    world.support("POST /orders/{id}/shipments", "order-1", sent)
    body = world.support("POST /orders/{id}/shipments", "order-1", {}).body
    by_dhl, by_us = body["shipments"]
    assert by_dhl["tracking_url"] == "https://www.dhl.com/global-en/home/tracking.html?tracking-id=JD%2001%2F2"
    assert by_us["tracking_number"]
    assert "tracking_url" not in by_us, "the simulated carrier has none"
