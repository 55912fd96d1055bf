"""Changing an order by request: what is allowed when, with which side effects, and under which version."""

from typing import Any

import pytest

from orders.adapters.store import orders
from orders.domain.identifiers import OrderId
from orders.domain.order import Change
from orders.domain.statuses import TRANSITIONS, OrderStatus
from tests.harness.bodies import HOME
from tests.harness.world import CUSTOMER, Answer, World

COD = "CASH_ON_DELIVERY"
PENDING, CONFIRMED, PROCESSING = OrderStatus.PENDING, OrderStatus.CONFIRMED, OrderStatus.PROCESSING
SHIPPED, DELIVERED, CANCELLED, RETURNED = (
    OrderStatus.SHIPPED,
    OrderStatus.DELIVERED,
    OrderStatus.CANCELLED,
    OrderStatus.RETURNED,
)


def patch(world: World, status: str, order_id: str = "order-1", **more: Any) -> Answer:
    reason = more.pop("reason", None)
    return world.support(
        "PATCH /orders/{id}/status", order_id, {"status": status} | ({"reason": reason} if reason else {}), **more
    )


def meanwhile(monkeypatch: pytest.MonkeyPatch, deed: Any, at: str | None = None) -> None:
    """Something else happens just before the next change (of that kind) is committed."""
    real = orders.commit

    def commit(change: Change, *more: Any) -> None:
        if at in (None, change.event.type.value):
            monkeypatch.setattr(orders, "commit", real)
            deed()
        real(change, *more)

    monkeypatch.setattr(orders, "commit", commit)


# --- PATCH under the table ---


METHODS = ("CREDIT_CARD", COD)
PAID_HOW = [(status, method) for status in OrderStatus for method in METHODS if status is not CONFIRMED or method == COD]


def allowed(current: OrderStatus, wanted: OrderStatus, method: str) -> bool:
    return wanted in TRANSITIONS[current] and not (wanted is CONFIRMED and method != COD)


@pytest.mark.parametrize(("current", "method"), PAID_HOW)
def test_a_status_is_not_set_where_the_table_forbids_it(world: World, current: OrderStatus, method: str) -> None:
    before = world.live(current, method=method)
    for wanted in OrderStatus:
        if allowed(current, wanted, method):
            continue
        answer = patch(world, wanted.value)
        assert (answer.status, answer.code) == (409, "FAILED_PRECONDITION")
        if wanted not in TRANSITIONS[current]:
            assert (answer.body["from"], answer.body["to"]) == (current.value, wanted.value)
            assert set(answer.body["allowed"]) == {status.value for status in TRANSITIONS[current]}
    assert world.snapshot() == before


@pytest.mark.parametrize(
    ("current", "wanted", "method"),
    [(current, wanted, method) for current, method in PAID_HOW for wanted in OrderStatus if allowed(current, wanted, method)],
)
def test_a_status_is_set_by_hand_with_all_that_belongs_to_it(
    world: World, current: OrderStatus, wanted: OrderStatus, method: str
) -> None:
    world.live(current, method=method)
    answer = patch(world, wanted.value)
    assert answer.status == 200, answer.text
    assert answer.order["status"] == wanted.value
    if world.order().overall.value == "ROLLING_BACK":
        world.unwind()
    world.add_up()


def test_processing_by_hand_reserves_and_charges(world: World) -> None:
    world.place()
    answer = patch(world, "PROCESSING", reason="Paid at the counter")
    assert answer.body["payment"]["status"] == "COMPLETED"
    assert [entry["state"] for entry in world.ledger()] == ["charged"]
    assert world.pieces("prod-001") == 98
    assert [event.by for event in orders.history(OrderId("order-1"))][-1] == "grace"


def test_shipped_by_hand_gets_a_tracking_number(world: World) -> None:
    world.live(PROCESSING)
    answer = patch(world, "SHIPPED")
    assert answer.body["shipment"]["tracking_number"]
    assert len(world.ledger("CARRIER")) == 1


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (PENDING, PROCESSING),
        (PROCESSING, SHIPPED),
        (SHIPPED, DELIVERED),
        (SHIPPED, RETURNED),
        (DELIVERED, RETURNED),
        (PENDING, CANCELLED),
        (PROCESSING, CANCELLED),
    ],
)
def test_the_reason_of_a_change_by_hand_stands_on_the_trail(world: World, status: OrderStatus, wanted: OrderStatus) -> None:
    world.live(status)
    assert patch(world, wanted.value, reason="Because I say so").status == 200
    moved = next(event for event in orders.history(OrderId("order-1"))[::-1] if event.old_status is not event.status)
    assert (moved.status, moved.by, moved.reason) == (wanted, "grace", "Because I say so")


@pytest.mark.parametrize(("status", "wanted"), [(PENDING, CONFIRMED), (CONFIRMED, PROCESSING), (PENDING, PROCESSING)])
def test_the_reason_of_a_change_of_a_cash_order_stands_on_the_trail(
    world: World, status: OrderStatus, wanted: OrderStatus
) -> None:
    world.live(status, method=COD)
    assert patch(world, wanted.value, reason="Because I say so").status == 200
    moved = next(event for event in orders.history(OrderId("order-1"))[::-1] if event.old_status is not event.status)
    assert (moved.status, moved.by, moved.reason) == (wanted, "grace", "Because I say so")


def test_delivered_by_hand_wakes_the_waiting_workflow(world: World) -> None:
    world.live(SHIPPED)
    assert patch(world, "DELIVERED").status == 200
    assert "ANSWER_DELIVERED" in world.follow_up()
    answer = world.executions.answers["ship-order-1"]
    assert (answer["status"], answer["shipment"]["status"]) == ("DELIVERED", "DELIVERED")


def test_a_declined_charge_by_hand_is_refused_and_unwinds_the_order(world: World) -> None:
    world.place(token="tok_declined")
    answer = patch(world, "PROCESSING")
    assert (answer.status, answer.body["detail"]) == (409, "The card was declined.")
    world.follow_up()
    world.unwind()
    assert world.order().status is CANCELLED
    world.add_up()


@pytest.mark.parametrize("token", ["tok_flaky_1", "tok_timeout_1"])
def test_a_charge_by_hand_that_did_not_go_through_may_be_asked_for_again(world: World, token: str) -> None:
    world.place(token=token)
    answer = patch(world, "PROCESSING")
    assert (answer.status, answer.code) == (503, "UNAVAILABLE")
    assert answer.headers["retry-after"]
    assert patch(world, "PROCESSING").status == 200
    assert [entry["state"] for entry in world.ledger()] == ["charged"]
    world.add_up()


def test_an_order_under_review_is_not_moved_past_it_by_hand(world: World) -> None:
    world.place(require_approval=True)
    world.reserve_for_review()
    answer = patch(world, "PROCESSING")
    assert (answer.status, answer.body["title"]) == (409, "Waiting for review")
    assert world.ledger() == []
    world.add_up()


def test_no_stock_no_processing(world: World) -> None:
    world.stock("prod-001", 1)
    world.place()
    answer = patch(world, "PROCESSING")
    assert answer.status == 409
    assert world.order().status is PENDING
    world.add_up()


@pytest.mark.parametrize(
    ("name", "status"), [("PAID", PENDING), ("COMPLETED", SHIPPED), ("paid", PENDING), ("Completed", SHIPPED)]
)
def test_an_old_name_is_taken_marked_and_never_answered(world: World, name: str, status: OrderStatus) -> None:
    world.live(status)
    answer = patch(world, name)
    assert answer.headers["deprecation"]
    assert answer.order["status"] == ("PROCESSING" if name.upper() == "PAID" else "DELIVERED")


@pytest.mark.parametrize("status", ["", "processing!", "LOST", "PENDING,SHIPPED"])
def test_an_unknown_status_is_refused(world: World, status: str) -> None:
    world.place()
    answer = patch(world, status)
    assert (answer.status, answer.fields) == (400, ["status"])


# --- two at once ---


def test_a_change_by_hand_and_the_workflows_own_step_charge_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.place()
    world.step("reserve_stock")
    meanwhile(monkeypatch, lambda: world.step("charge_payment"), at="PAYMENT_STARTED")
    assert patch(world, "PROCESSING").status == 200
    assert [entry["state"] for entry in world.ledger()] == ["charged"]
    assert world.trail().count("PAYMENT_COMPLETED") == 1
    world.add_up()


def test_a_parcel_shipped_by_hand_during_the_workflows_own_step_is_shipped_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.live(PROCESSING)
    meanwhile(monkeypatch, lambda: patch(world, "SHIPPED"), at="ORDER_SHIPPED")
    world.step("ship_parcel", task_token="task-1", transit=10)
    assert world.trail().count("ORDER_SHIPPED") == 1
    assert len(world.ledger("CARRIER")) == 1
    assert world.order().delivery_token == "task-1"
    world.add_up()


def test_of_two_cancellations_one_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.live(PROCESSING)
    meanwhile(monkeypatch, lambda: patch(world, "CANCELLED"))
    assert world.http("POST /orders/{id}/cancel", "order-1").status == 409
    world.unwind()
    world.add_up()


def test_of_two_returns_one_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.live(DELIVERED)
    meanwhile(monkeypatch, lambda: patch(world, "RETURNED"))
    assert world.http("POST /orders/{id}/return", "order-1").status == 409
    world.unwind()
    assert [entry["state"] for entry in world.ledger()] == ["refunded"]
    world.add_up()


def test_a_parcel_delivered_while_it_was_sent_back_is_no_return_to_sender(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.live(SHIPPED)
    meanwhile(monkeypatch, lambda: world.step("deliver_order"))
    assert patch(world, "RETURNED").status == 200
    shown = world.http("GET /orders/{id}", "order-1").body
    assert shown["shipment"]["status"] == "DELIVERED"
    world.unwind()
    world.add_up()


def test_a_cancellation_just_before_shipping_by_hand_wins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.live(PROCESSING)
    meanwhile(monkeypatch, lambda: world.http("POST /orders/{id}/cancel", "order-1"), at="HANDOVER_STARTED")
    assert patch(world, "SHIPPED").status == 409
    world.unwind()
    assert world.ledger("CARRIER") == []
    world.add_up()


@pytest.mark.parametrize("answers", [("approve", "reject"), ("reject", "approve"), ("approve", "approve")])
def test_of_two_reviewers_one_is_refused(world: World, monkeypatch: pytest.MonkeyPatch, answers: tuple[str, str]) -> None:
    world.place(require_approval=True)
    world.reserve_for_review()
    first, second = answers
    meanwhile(monkeypatch, lambda: world.support(f"POST /orders/{{id}}/{first}", "order-1"))
    assert world.support(f"POST /orders/{{id}}/{second}", "order-1").status == 409
    approval = world.order().approval
    assert approval is not None
    assert approval.status.value == ("APPROVED" if first == "approve" else "REJECTED")


# --- the other requests ---


def test_a_cancelled_order_reads_cancelled_at_once(world: World) -> None:
    world.live(PROCESSING)
    answer = world.http("POST /orders/{id}/cancel", "order-1", {"reason": "Changed my mind"})
    assert answer.order["status"] == "CANCELLED"
    cancellation = answer.order["cancellation"]
    assert (cancellation["reason"], cancellation["cancelled_by"], cancellation["note"]) == (
        *("customer", CUSTOMER, "Changed my mind"),
    )
    world.follow_up()
    assert world.executions.running() == ["unwind order-1"]


def test_delivered_is_said_once(world: World) -> None:
    world.live(SHIPPED)
    carrier = {"by": "carl", "groups": ["carrier"]}
    assert world.http("POST /orders/{id}/delivered", "order-1", **carrier).status == 200  # type: ignore[arg-type]
    assert world.http("POST /orders/{id}/delivered", "order-1", **carrier).status == 409  # type: ignore[arg-type]


def test_a_parcels_place_is_noted(world: World) -> None:
    world.live(SHIPPED)
    body = {"location": "Utrecht", "estimated_delivery": "2026-12-01T10:00:00+01:00"}
    answer = world.http("PUT /orders/{id}/shipment/location", "order-1", body, by="carl", groups=["carrier"])
    assert answer.body["shipment"]["current_location"] == "Utrecht"
    assert answer.body["shipment"]["estimated_delivery"] == "2026-12-01T09:00:00.000Z"


def test_the_same_address_changes_nothing(world: World) -> None:
    world.place()
    assert world.http("PUT /orders/{id}/address", "order-1", HOME).order["version"] == 1


@pytest.mark.parametrize("status", [SHIPPED, DELIVERED, CANCELLED, RETURNED])
def test_the_address_stands_once_the_parcel_is_gone(world: World, status: OrderStatus) -> None:
    world.live(status)
    answer = world.http("PUT /orders/{id}/address", "order-1", HOME | {"city": "Ockham"})
    assert (answer.status, answer.body["order_status"]) == (409, status.value)


# --- If-Match ---

CHANGES: list[tuple[str, OrderStatus, Any]] = [
    ("POST /orders/{id}/cancel", PROCESSING, None),
    ("PUT /orders/{id}/address", PROCESSING, HOME | {"city": "Ockham"}),
    ("POST /orders/{id}/return", DELIVERED, None),
    ("POST /orders/{id}/delivered", SHIPPED, None),
    ("PUT /orders/{id}/shipment/location", SHIPPED, {"location": "Utrecht"}),
    ("PATCH /orders/{id}/status", PENDING, {"status": "PROCESSING"}),
    ("PATCH /orders/{id}/status", PROCESSING, {"status": "SHIPPED"}),
    ("PATCH /orders/{id}/status", SHIPPED, {"status": "DELIVERED"}),
    ("PATCH /orders/{id}/status", SHIPPED, {"status": "RETURNED"}),
    ("PATCH /orders/{id}/status", PROCESSING, {"status": "CANCELLED"}),
]


@pytest.mark.parametrize(("route", "status", "body"), CHANGES)
def test_a_change_of_a_version_that_is_no_more_is_refused(world: World, route: str, status: OrderStatus, body: Any) -> None:
    version = world.live(status).order.version
    answer = world.support(route, "order-1", body, headers={"if-match": f'"{version - 1}"'})
    assert answer.status == 412
    assert world.order().version == version
    right = world.support(route, "order-1", body, headers={"if-match": f'"{version}"'})
    assert right.status == 200, right.text
    assert right.headers["etag"] == f'"{right.order["version"]}"'


@pytest.mark.parametrize(("route", "status", "body"), CHANGES)
def test_a_version_that_is_overtaken_on_the_way_is_refused_too(
    world: World, monkeypatch: pytest.MonkeyPatch, route: str, status: OrderStatus, body: Any
) -> None:
    version = world.live(status).order.version

    def overtake() -> None:
        if status is SHIPPED:
            done = world.support("PUT /orders/{id}/shipment/location", "order-1", {"location": "Paris"})
        elif status is DELIVERED:
            done = world.support("POST /orders/{id}/return", "order-1")
        else:
            done = world.http("PUT /orders/{id}/address", "order-1", HOME | {"city": "Paris"})
        assert done.status == 200

    meanwhile(monkeypatch, overtake)
    answer = world.support(route, "order-1", body, headers={"if-match": f'"{version}"'})
    assert answer.status == 412, answer.text
    assert world.order().version == version + 1


@pytest.mark.parametrize("header", ["latest", '"x"', '"3', '"-1"', '""', '"' + "9" * 30 + '"'])
def test_a_malformed_version_is_refused_by_its_name(world: World, header: str) -> None:
    world.place()
    answer = world.http("POST /orders/{id}/cancel", "order-1", headers={"if-match": header})
    assert (answer.status, answer.fields) == (400, ["If-Match"])
    assert world.order().status is PENDING


@pytest.mark.parametrize("header", ['"1"', 'W/"1"', ' "1" ', "1", "*", ""])
def test_a_version_may_be_written_in_every_way_the_standard_knows(world: World, header: str) -> None:
    world.place()
    assert world.http("POST /orders/{id}/cancel", "order-1", headers={"if-match": header}).status == 200


@pytest.mark.parametrize("body", ["[]", "7", '{"reason": 5}', '{"why": "x"}', "{", '{"reason": ""}'])
def test_a_bad_body_changes_nothing(world: World, body: str) -> None:
    world.place()
    assert world.http("POST /orders/{id}/cancel", "order-1", raw=body).status == 400
    assert world.order().version == 1
