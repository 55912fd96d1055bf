"""What an order says may be asked of it is what its routes do: no button on it can only refuse."""

from typing import Any

import pytest

from orders.domain.statuses import OrderStatus
from orders.services.allowed import ATTEMPTS
from orders.web.routes import ROUTES, STAFF, Who
from tests.harness.bodies import a_body
from tests.harness.world import CUSTOMER, World

ITEMS = [{"line_id": "1", "quantity": 1}]
BODIES = {
    "POST /orders/{id}/returns": {"items": ITEMS},
    "POST /orders/{id}/refunds": {"reason": "Scratched"},
    "PUT /orders/{id}/address": {**a_body()["shipping_address"], "line1": "Somewhere else"},
    "POST /orders/{id}/hold": {"reason": "Asked to"},
}
"""What each route has to be asked with, where that is anything."""
BEFORE = (OrderStatus.PENDING, OrderStatus.PROCESSING, OrderStatus.SHIPPED, OrderStatus.DELIVERED)


def allowed_of(world: World, **who: Any) -> set[str]:
    return set(world.http("GET /orders/{id}", "order-1", **who).body["allowed_actions"])


@pytest.mark.parametrize("status", BEFORE)
@pytest.mark.parametrize("route", ATTEMPTS)
def test_what_is_allowed_is_done_and_the_rest_refused(world: World, status: OrderStatus, route: str) -> None:
    world.place(method="CASH_ON_DELIVERY" if status is OrderStatus.PENDING else "CREDIT_CARD")
    world.go_on(status)
    is_allowed = ROUTES[route].operation in allowed_of(world, by="grace", groups=["support"])
    answer = world.support(route, "order-1", BODIES.get(route, {}))
    assert (answer.status < 300) is is_allowed or route == "POST /orders/{id}/sync", answer.body


def test_a_review_may_be_answered_by_staff_and_not_by_the_customer(world: World) -> None:
    world.place(require_approval=True)
    world.reserve_for_review()
    asked = {"approveOrder", "rejectOrder"}
    assert asked <= allowed_of(world, by="grace", groups=["support"])
    assert allowed_of(world) == {"cancelOrder", "changeAddress"}
    world.support("POST /orders/{id}/approve", "order-1", {})
    assert not asked & allowed_of(world, by="grace", groups=["support"])


def test_nothing_is_allowed_on_an_order_that_is_over(world: World) -> None:
    world.place()
    world.http("POST /orders/{id}/cancel", "order-1")
    world.unwind()
    assert allowed_of(world, by="grace", groups=["support"]) == set()


def test_each_route_that_changes_an_order_as_a_whole_is_tried() -> None:
    """Those that are left out take something that only the caller knows, or are about one of its parts."""
    changing = {
        key
        for key, route in ROUTES.items()
        if key.startswith(("POST /orders/{id}/", "PUT /orders/{id}/")) and key.count("/") == 3
    }
    assert changing - ATTEMPTS.keys() == set()
    assert all(ROUTES[key].who & STAFF for key in ATTEMPTS)
    assert {key for key in ATTEMPTS if Who.OWNER in ROUTES[key].who} >= {
        "POST /orders/{id}/cancel",
        "POST /orders/{id}/returns",
    }
    assert CUSTOMER == "ada"
