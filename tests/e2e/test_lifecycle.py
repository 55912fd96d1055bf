"""Every way an order can end, told over HTTP."""

import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.goods.model import PartsOfAnOrder
from tests.goods.over_http import OverHttp, People
from tests.harness.bodies import ELSEWHERE, HOME
from tests.harness.stacks import Api, Deployment, until

STEPS = ["Inventory Reservation", "Manual Review", "Payment Processing", "Shipping Arrangement", "Delivery"]


def path(api: Api, order_id: str) -> list[str]:
    """The statuses an order went through."""
    statuses = [event["status"] for event in api.history(order_id)]
    return [status for place, status in enumerate(statuses) if place == 0 or statuses[place - 1] != status]


def steps(api: Api, order_id: str) -> list[str]:
    return [step["status"] for step in api.progress(order_id)["steps"]]


def moved_on(stack: Deployment, order_id: str, wanted: str) -> None:
    """By hand, unless the workflow of a deployed stack, whose waits are its own, was quicker."""
    answer = stack.support.patch(f"/orders/{order_id}/status", {"status": wanted})
    assert answer.status_code in (200, 409), answer.text
    assert stack.ada.order(order_id)["order"]["status"] == wanted


def test_an_order_is_placed_paid_shipped_and_delivered(swift: Deployment) -> None:
    placed = swift.ada.place()
    order_id = placed["order"]["order_id"]
    assert placed["order"]["total"] == {"amount": 3000, "currency": "USD"}
    over = swift.ada.until_status(order_id, "DELIVERED")
    assert path(swift.ada, order_id) == ["PENDING", "PROCESSING", "SHIPPED", "DELIVERED"]
    assert over["payment"]["status"] == "COMPLETED"
    assert over["payment"]["amount"] == {"amount": 3000, "currency": "USD"}
    assert over["shipment"]["status"] == "DELIVERED"
    assert over["shipment"]["tracking_number"]
    assert steps(swift.ada, order_id) == ["COMPLETED", "SKIPPED", "COMPLETED", "COMPLETED", "COMPLETED"]
    assert swift.ada.progress(order_id)["overall_status"] == "COMPLETED"


@pytest.mark.parametrize(("token", "message"), [("tok_declined", "declined"), ("tok_insufficient_funds", "funds")])
def test_a_refused_payment_is_unwound(swift: Deployment, token: str, message: str) -> None:
    order_id = swift.ada.place(token=token)["order"]["order_id"]
    over = swift.ada.until_over(order_id)
    assert over["order"]["status"] == "CANCELLED"
    assert over["order"]["cancellation"]["reason"] == "payment_failed"
    assert over["payment"]["status"] == "FAILED"
    assert message in over["payment"]["failure_reason"].lower()
    assert over["shipment"] is None
    progress = swift.ada.progress(order_id)
    assert [step["status"] for step in progress["steps"]] == ["COMPENSATED", "SKIPPED", "FAILED", "SKIPPED", "SKIPPED"]
    assert message in progress["steps"][2]["error_message"].lower()
    assert progress["overall_status"] == "ROLLED_BACK"
    assert progress["estimated_completion"] is None


@pytest.mark.parametrize("token", ["tok_flaky_2", "tok_timeout_1"])
def test_a_fault_that_passes_is_waited_out(swift: Deployment, token: str) -> None:
    order_id = swift.ada.place(token=token)["order"]["order_id"]
    over = swift.ada.until_over(order_id)
    assert over["order"]["status"] == "DELIVERED"
    assert [event["event_type"] for event in swift.ada.history(order_id)].count("PAYMENT_COMPLETED") == 1


@pytest.mark.parametrize("postal_code", ["flaky_1", "timeout_1"])
def test_a_carrier_fault_that_passes_is_waited_out(swift: Deployment, postal_code: str) -> None:
    order_id = swift.ada.place(postal_code=postal_code)["order"]["order_id"]
    assert swift.ada.until_over(order_id)["order"]["status"] == "DELIVERED"


def test_a_carrier_that_refuses_is_unwound_with_the_money_back(swift: Deployment) -> None:
    order_id = swift.ada.place(postal_code="refused")["order"]["order_id"]
    over = swift.ada.until_over(order_id)
    assert over["order"]["cancellation"]["reason"] == "shipping_failed"
    assert over["payment"]["status"] == "REFUNDED"
    assert steps(swift.ada, order_id) == ["COMPENSATED", "SKIPPED", "COMPENSATED", "FAILED", "SKIPPED"]


def test_what_is_not_in_stock_is_not_sold(swift: Deployment) -> None:
    product = swift.a_product(f"scarce-{uuid.uuid4().hex[:8]}", stock=1)
    order_id = swift.ada.place(product=product, quantity=2)["order"]["order_id"]
    over = swift.ada.until_over(order_id)
    assert over["order"]["cancellation"]["reason"] == "out_of_stock"
    assert over["payment"] is None
    assert steps(swift.ada, order_id) == ["FAILED", "SKIPPED", "SKIPPED", "SKIPPED", "SKIPPED"]
    assert swift.ada.progress(order_id)["overall_status"] == "FAILED", "there was nothing to undo"
    assert swift.stock(product) == 1


def test_cash_is_collected_with_the_delivery_and_not_before(steady: Deployment) -> None:
    order_id = steady.ada.place(method="CASH_ON_DELIVERY")["order"]["order_id"]
    over = steady.ada.until_over(order_id)
    assert over["payment"]["status"] == "COMPLETED"
    assert path(steady.ada, order_id) == ["PENDING", "CONFIRMED", "PROCESSING", "SHIPPED", "DELIVERED"]


def test_cash_is_not_collected_before_the_delivery(patient: Deployment) -> None:
    order_id = patient.ada.place(method="CASH_ON_DELIVERY")["order"]["order_id"]
    patient.ada.until_status(order_id, "CONFIRMED", "PROCESSING", "SHIPPED")
    for wanted in ("PROCESSING", "SHIPPED"):
        moved_on(patient, order_id, wanted)
        assert patient.ada.order(order_id)["payment"]["status"] == "PENDING"
    assert patient.carrier.post(f"/orders/{order_id}/delivered").status_code == 200
    assert patient.ada.until_over(order_id)["payment"]["status"] == "COMPLETED"


# --- review ---


def a_dear_one(api: Api) -> str:
    """An order in front of its reviewer."""
    order_id: str = api.place(product="prod-005")["order"]["order_id"]
    until(lambda: api.progress(order_id)["current_step"] == "Manual Review", what="the review")
    return order_id


def test_an_approved_order_goes_on(steady: Deployment) -> None:
    order_id = a_dear_one(steady.ada)
    waiting = steady.ada.order(order_id)["order"]["approval"]
    assert waiting["status"] == "PENDING"
    answer = steady.support.post(f"/orders/{order_id}/approve", {"reason": "Known customer"})
    assert answer.json()["order"]["approval"] == waiting | {
        "status": "APPROVED",
        "decided_by": "sue",
        "reason": "Known customer",
        "expires_at": answer.json()["order"]["approval"]["expires_at"],
    }
    again = steady.support.post(f"/orders/{order_id}/approve")
    assert (again.status_code, again.json()["code"]) == (409, "FAILED_PRECONDITION")
    assert steady.ada.until_over(order_id)["order"]["status"] == "DELIVERED"
    assert steps(steady.ada, order_id) == ["COMPLETED"] * 5


def test_a_rejected_order_is_unwound(steady: Deployment) -> None:
    order_id = a_dear_one(steady.ada)
    assert steady.support.post(f"/orders/{order_id}/reject", {"reason": "Fraud"}).status_code == 200
    over = steady.ada.until_over(order_id)
    assert over["order"]["status"] == "CANCELLED"
    assert over["order"]["cancellation"]["reason"] == "approval_rejected"
    assert over["order"]["approval"]["status"] == "REJECTED"
    assert over["payment"] is None
    assert steady.support.post(f"/orders/{order_id}/approve").status_code == 409


def test_silence_counts_as_no(hasty: Deployment) -> None:
    order_id = hasty.ada.place(product="prod-005")["order"]["order_id"]
    over = hasty.ada.until_over(order_id, seconds=400)
    assert over["order"]["cancellation"]["reason"] == "approval_timeout"
    assert over["order"]["approval"]["status"] == "TIMED_OUT"
    assert hasty.support.post(f"/orders/{order_id}/approve").status_code == 409


def test_an_order_is_reviewed_on_request_too(steady: Deployment) -> None:
    order_id = steady.ada.place(require_approval=True)["order"]["order_id"]
    assert steady.support.post(f"/orders/{order_id}/approve").status_code == 200
    assert steady.ada.until_over(order_id)["order"]["status"] == "DELIVERED"


# --- cancelling ---


@pytest.mark.parametrize(
    ("status", "wish", "payment"),
    [
        (None, {}, (None, "VOIDED", "REFUNDED")),
        ("PENDING", {"require_approval": True}, (None,)),
        ("PROCESSING", {}, ("REFUNDED",)),
        ("CONFIRMED", {"method": "CASH_ON_DELIVERY"}, ("VOIDED",)),
    ],
    ids=["at once", "in review", "in preparation", "in cash"],
)
def test_a_customer_cancels_until_it_is_shipped(
    patient: Deployment, status: str | None, wish: dict[str, Any], payment: tuple[str | None, ...]
) -> None:
    order_id = patient.ada.place(**wish)["order"]["order_id"]
    if status:
        patient.ada.until_status(order_id, status)
    answer = patient.ada.post(f"/orders/{order_id}/cancel", {"reason": "Changed my mind"})
    assert answer.json()["order"]["status"] == "CANCELLED"
    over = patient.ada.until_over(order_id)
    assert over["order"]["status"] == "CANCELLED"
    cancellation = over["order"]["cancellation"]
    assert (cancellation["reason"], cancellation["note"]) == ("customer", "Changed my mind")
    assert (over["payment"] and over["payment"]["status"]) in payment
    again = patient.ada.post(f"/orders/{order_id}/cancel")
    assert (again.status_code, again.json()["allowed"]) == (409, [])


def test_support_cancels_for_the_shop(steady: Deployment) -> None:
    order_id = steady.ada.place(require_approval=True)["order"]["order_id"]
    answer = steady.support.post(f"/orders/{order_id}/cancel")
    assert answer.json()["order"]["cancellation"]["reason"] == "staff"


def test_what_is_shipped_cannot_be_cancelled(steady: Deployment) -> None:
    order_id = steady.ada.place()["order"]["order_id"]
    steady.ada.until_status(order_id, "SHIPPED", "DELIVERED")
    answer = steady.ada.post(f"/orders/{order_id}/cancel")
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["from"] in ("SHIPPED", "DELIVERED")
    assert problem["to"] == "CANCELLED"
    assert set(problem["allowed"]) <= {"DELIVERED", "RETURNED"}


# --- after delivery, and on the way ---


@pytest.mark.parametrize("method", ["CREDIT_CARD", "CASH_ON_DELIVERY"])
def test_a_delivered_order_is_returned(swift: Deployment, method: str) -> None:
    product = swift.a_product(f"returned-{uuid.uuid4().hex[:8]}", stock=10)
    order_id = swift.ada.place(product=product, quantity=3, method=method)["order"]["order_id"]
    early = swift.support.post(f"/orders/{order_id}/return")
    if early.status_code != 200:
        # Without waits the order may have been delivered before it was asked back; then it is on its way already.
        assert early.status_code == 409
        swift.ada.until_status(order_id, "DELIVERED")
        assert swift.stock(product) == 7
        assert swift.support.post(f"/orders/{order_id}/return", {"reason": "Too small"}).status_code == 200
    over = swift.ada.until_over(order_id)
    until(lambda: swift.stock(product) == 10, what="the goods back in stock")
    if method == "CASH_ON_DELIVERY":
        (owed,) = swift.ada.order(order_id)["refunds"]
        assert owed["status"] == "PENDING", "cash is handed out by people"
        assert swift.support.post(f"/orders/{order_id}/refunds/{owed['refund_id']}/complete").status_code == 200
    over = until(lambda: (found := swift.ada.order(order_id))["payment"]["status"] == "REFUNDED" and found, what="the refund")
    assert over["order"]["status"] == "RETURNED"
    assert over["order"]["cancellation"] is None
    assert swift.support.post(f"/orders/{order_id}/return").status_code == 409


def test_the_address_changes_until_the_parcel_is_handed_over(patient: Deployment) -> None:
    order_id = patient.ada.place()["order"]["order_id"]
    answer = patient.ada.put(f"/orders/{order_id}/address", ELSEWHERE)
    assert answer.status_code == 200
    assert answer.json()["order"]["shipping_address"] == ELSEWHERE
    patient.ada.until_status(order_id, "PROCESSING", "SHIPPED")
    moved_on(patient, order_id, "SHIPPED")
    late = patient.ada.put(f"/orders/{order_id}/address", HOME)
    assert (late.status_code, late.json()["code"]) == (409, "FAILED_PRECONDITION")
    assert patient.ada.order(order_id)["order"]["shipping_address"] == ELSEWHERE


def test_support_takes_an_order_through_by_hand(steady: Deployment) -> None:
    order_id = steady.ada.place()["order"]["order_id"]
    for wanted, deprecated in (("PAID", True), ("SHIPPED", False), ("COMPLETED", True)):
        answer = steady.support.patch(f"/orders/{order_id}/status", {"status": wanted, "reason": "By phone"})
        if answer.status_code == 409:  # the workflow was quicker
            continue
        assert answer.status_code == 200, answer.text
        assert ("deprecation" in answer.headers) is deprecated
        assert answer.json()["order"]["status"] == {"PAID": "PROCESSING", "COMPLETED": "DELIVERED"}.get(wanted, wanted)
    over = steady.ada.until_over(order_id)
    assert path(steady.ada, order_id) == ["PENDING", "PROCESSING", "SHIPPED", "DELIVERED"]
    assert over["payment"]["status"] == "COMPLETED"
    assert over["shipment"]["tracking_number"]
    kinds = [event["event_type"] for event in steady.support.history(order_id)]
    assert [kinds.count(kind) for kind in ("PAYMENT_COMPLETED", "ORDER_SHIPPED", "ORDER_DELIVERED")] == [1, 1, 1]


def test_the_carrier_says_where_the_parcel_is_and_that_it_arrived(patient: Deployment) -> None:
    order_id = patient.ada.place()["order"]["order_id"]
    patient.ada.until_status(order_id, "PROCESSING", "SHIPPED")
    moved_on(patient, order_id, "SHIPPED")
    place = {"location": "Sorting center Utrecht", "estimated_delivery": "2031-01-02T03:04:05Z"}
    answer = patient.carrier.put(f"/orders/{order_id}/shipment/location", place)
    assert answer.status_code == 200, answer.text
    shipment = answer.json()["shipment"]
    assert (shipment["current_location"], shipment["status"]) == ("Sorting center Utrecht", "IN_TRANSIT")
    assert shipment["estimated_delivery"] == "2031-01-02T03:04:05.000Z"
    assert patient.carrier.post(f"/orders/{order_id}/delivered").status_code == 200
    over = patient.ada.order(order_id)
    assert over["order"]["status"] == "DELIVERED"
    assert patient.ada.history(order_id)[-1]["triggered_by"] == "carl"
    assert patient.carrier.post(f"/orders/{order_id}/delivered").status_code == 409


def test_goods_and_money_of_an_order_add_up_on_a_stack_too(patient: Deployment) -> None:
    """So few sequences as show that the model and the requests still fit; `python -m tests.goods` runs thousands."""
    if patient.aws_url is None:
        pytest.skip("needs the stack's own bus")
    people = People(patient)

    class OnTheStack(PartsOfAnOrder):
        def opened(self) -> OverHttp:
            return OverHttp(people)

    few = settings(
        max_examples=3,
        stateful_step_count=5,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(OnTheStack, settings=few)
