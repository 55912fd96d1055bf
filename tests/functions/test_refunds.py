"""Giving money back through the real handlers: by staff, by the unwinding, in cash; refused, lost, repaired and raced."""

from datetime import timedelta
from typing import Any

import pytest

from orders.adapters.payments import simulated
from orders.adapters.store import keys, ledgers, orders
from orders.domain.errors import GatewayUnavailable
from orders.domain.identifiers import OrderId
from orders.domain.payment import GatewayOutcome, OutcomeKind
from orders.domain.refund import Refund
from orders.domain.statuses import OrderStatus, RefundStatus
from orders.services import recovery, refunding
from orders.services.changes import utc_now
from tests.harness.world import Answer, World

STAFF: dict[str, Any] = {"by": "sue", "groups": ["support"]}
REFUND, RETRY, COMPLETE = (f"POST /orders/{{id}}/refunds{rest}" for rest in ("", "/{refund_id}/retry", "/{refund_id}/complete"))
CANCEL, RETURN = "POST /orders/{id}/cancel", "POST /orders/{id}/return"
ID = OrderId("order-1")
WHY = {"reason": "Arrived scratched"}
GATEWAY = simulated.SimulatedGateway


def usd(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


def refund(world: World, **body: Any) -> Answer:
    return world.http(REFUND, ID, {**WHY, **body}, **STAFF)


def by_id(world: World, route: str, refund_id: str) -> Answer:
    return world.http(route, {"id": ID, "refund_id": refund_id}, **STAFF)


def given_back() -> int:
    """What the provider's book says was given back."""
    payment = orders.load(ID).payment
    assert payment
    entry = ledgers.entry(keys.charge_key(payment.payment_id))
    return sum(entry.facts.get("refunds", {}).values()) if entry else 0


def statuses() -> list[str]:
    return [one.status.value for one in orders.load(ID).refunds]


def only_refund() -> Refund:
    (found,) = orders.load(ID).refunds
    return found


def in_two_minutes() -> Any:
    return utc_now() + timedelta(minutes=2)


def test_staff_give_an_amount_back_and_the_payment_follows(world: World) -> None:
    world.live(OrderStatus.DELIVERED)
    first = refund(world, amount=usd(500))
    assert first.status == 200
    assert first.body["payment"]["status"] == "PARTIALLY_REFUNDED"
    (shown,) = first.body["refunds"]
    assert (shown["status"], shown["amount"], shown["reason"], shown["requested_by"]) == (
        *("COMPLETED", usd(500), "Arrived scratched"),
        "sue",
    )
    assert shown["completed_at"]
    rest = refund(world).body
    assert (rest["payment"]["status"], rest["payment"]["amount_refunded"]) == ("REFUNDED", usd(3000))
    assert [one["amount"]["amount"] for one in rest["refunds"]] == [500, 2500]
    assert given_back() == 3000
    assert world.trail()[-4:] == ["REFUND_STARTED", "PAYMENT_REFUNDED"] * 2
    assert rest["order"]["status"] == "DELIVERED"


def test_pieces_are_worth_their_share_and_can_be_given_back_once(world: World) -> None:
    world.live(OrderStatus.DELIVERED)
    shown = refund(world, items=[{"line_id": "1", "quantity": 1}]).body["refunds"]
    assert [(one["amount"], one["items"]) for one in shown] == [(usd(1000), [{"line_id": "1", "quantity": 1}])]
    assert refund(world, items=[{"line_id": "1", "quantity": 2}]).status == 409
    assert refund(world, items=[{"line_id": "9", "quantity": 1}]).fields == ["items.0.line_id"]
    assert refund(world, items=[{"line_id": "1", "quantity": 1}]).status == 200
    assert given_back() == 2000


def test_never_more_than_was_captured_and_is_left(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    assert refund(world, amount=usd(3001)).status == 409
    assert refund(world, amount={"amount": 1, "currency": "EUR"}).fields == ["amount.currency"]
    assert refund(world, amount=usd(0)).status == 409
    assert refund(world, amount=usd(2999)).status == 200
    beyond = refund(world, amount=usd(2))
    assert (beyond.status, beyond.code, beyond.body["refundable"]) == (409, "FAILED_PRECONDITION", usd(1))
    assert refund(world, amount=usd(1), items=[{"line_id": "1", "quantity": 1}]).status == 400
    assert refund(world).status == 200
    assert refund(world).status == 409


@pytest.mark.parametrize("status", [OrderStatus.PENDING, OrderStatus.CONFIRMED])
def test_what_was_not_taken_is_not_given_back(world: World, status: OrderStatus) -> None:
    world.live(status, method="CASH_ON_DELIVERY")
    assert refund(world, amount=usd(1)).status == 409


def test_an_owner_sees_the_refund_and_not_what_staff_noted(world: World) -> None:
    world.live(OrderStatus.DELIVERED)
    refund(world, amount=usd(500))
    (seen,) = world.http("GET /orders/{id}", ID).body["refunds"]
    assert (seen["status"], seen["amount"]) == ("COMPLETED", usd(500))
    assert "reason" not in seen
    assert world.http(REFUND, ID, {**WHY, "amount": usd(1)}).status == 403


# --- what goes wrong ---


def test_a_refused_refund_is_seen_counted_and_retried_under_another_key(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.live(OrderStatus.DELIVERED, token="tok_refund_declined_1")
    failed = refund(world, amount=usd(500)).body
    (shown,) = failed["refunds"]
    assert (shown["status"], shown["failure_reason"]) == ("FAILED", "The customer's account is closed.")
    assert (failed["payment"]["status"], failed["payment"]["amount_refunded"]) == ("COMPLETED", usd(0))
    assert "refunds_failed_total" in capsys.readouterr().out
    assert by_id(world, COMPLETE, shown["refund_id"]).status == 409
    again = by_id(world, RETRY, shown["refund_id"]).body
    assert [one["status"] for one in again["refunds"]] == ["COMPLETED"]
    assert (given_back(), again["payment"]["status"]) == (500, "PARTIALLY_REFUNDED")
    assert world.trail()[-4:] == ["REFUND_STARTED", "REFUND_FAILED", "REFUND_RETRIED", "PAYMENT_REFUNDED"]
    assert by_id(world, RETRY, shown["refund_id"]).status == 409
    assert by_id(world, RETRY, "ref-none").status == 404


def test_what_others_have_given_back_in_the_meantime_is_not_retried(world: World) -> None:
    world.live(OrderStatus.DELIVERED, token="tok_refund_declined_1")
    (failed,) = refund(world, amount=usd(2000)).body["refunds"]
    assert refund(world, amount=usd(1500)).status == 200
    assert by_id(world, RETRY, failed["refund_id"]).status == 409


def test_a_provider_may_take_it_back_days_later(world: World) -> None:
    world.live(OrderStatus.DELIVERED)
    refund(world, amount=usd(500))
    refunding.report_failure(ID, only_refund().refund_id, "The account is closed.")
    found = orders.load(ID)
    assert found.payment
    assert (found.payment.status, found.payment.amount_refunded) == ("COMPLETED", 0)
    assert statuses() == ["FAILED"]


def lose(patch: pytest.MonkeyPatch, *, after: bool) -> None:
    """The provider's next refund is lost, before it is done or after."""
    done = GATEWAY.refund

    def lost(gateway: Any, *arguments: Any) -> GatewayOutcome:
        patch.setattr(GATEWAY, "refund", done)
        if after:
            done(gateway, *arguments)
            return GatewayOutcome(OutcomeKind.UNKNOWN)
        raise GatewayUnavailable("It takes no calls.")

    patch.setattr(GATEWAY, "refund", lost)


@pytest.mark.parametrize("after", [True, False])
def test_a_refund_whose_response_is_lost_is_found_by_the_sweep_days_later(
    world: World, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    world.live(OrderStatus.DELIVERED)
    lose(monkeypatch, after=after)
    pending = refund(world, amount=usd(500))
    assert (pending.status, pending.body["refunds"][0]["status"]) == (200, "PENDING")
    assert refund(world, amount=usd(2501)).status == 409, "what is about to be given back is not left"
    three_days = utc_now() + timedelta(days=3)
    swept = recovery.sweep(clock=lambda: three_days)
    assert (swept.looked_at, swept.failures, statuses()) == (1, {}, ["COMPLETED"])
    assert given_back() == 500
    assert recovery.sweep(clock=lambda: three_days).looked_at == 0


def test_a_refund_that_the_provider_takes_its_time_for_is_asked_for_again_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.live(OrderStatus.DELIVERED)
    with monkeypatch.context() as slow:
        slow.setattr(GATEWAY, "refund", lambda *_: GatewayOutcome(OutcomeKind.PENDING))
        assert refund(world, amount=usd(500)).body["refunds"][0]["status"] == "PENDING"
        assert recovery.sweep(clock=in_two_minutes).looked_at == 1
        assert recovery.sweep(clock=in_two_minutes).looked_at == 0, "it has been put off"
    assert world.http("POST /orders/{id}/sync", ID, {}, **STAFF).body["refunds"][0]["status"] == "COMPLETED"


# --- the unwinding ---


def test_a_cancelled_order_gives_back_what_is_left_by_one_refund(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    refund(world, amount=usd(500))
    world.http(CANCEL, ID)
    world.unwind()
    found = world.http("GET /orders/{id}", ID).body
    assert [(one["amount"]["amount"], one["status"]) for one in found["refunds"]] == [(500, "COMPLETED"), (2500, "COMPLETED")]
    assert found["refunds"][1]["reason"] == "The order was cancelled at the customer's request."
    assert found["payment"]["status"] == "REFUNDED"
    assert given_back() == 3000
    assert world.step("refund_payment")["payment"]["status"] == "REFUNDED"
    assert len(orders.load(ID).refunds) == 2


def test_a_refund_that_the_provider_refuses_does_not_hold_the_unwinding_up(world: World) -> None:
    world.live(OrderStatus.PROCESSING, token="tok_refund_declined_1")
    world.http(CANCEL, ID)
    world.unwind()
    snapshot = orders.load(ID)
    assert (snapshot.order.overall, statuses()) == ("ROLLED_BACK", ["FAILED"])
    world.step("refund_payment")
    assert statuses() == ["FAILED"], "it is retried by hand"
    again = by_id(world, RETRY, only_refund().refund_id).body
    assert (again["payment"]["status"], given_back()) == ("REFUNDED", 3000)


@pytest.mark.parametrize("after", [True, False])
def test_an_unwinding_that_is_lost_goes_on_with_the_refund_that_it_has_begun(
    world: World, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    world.live(OrderStatus.PROCESSING)
    world.http(CANCEL, ID)
    lose(monkeypatch, after=after)
    with pytest.raises(Exception, match=r"."):
        world.step("refund_payment")
    assert statuses() == ["PENDING"]
    world.unwind()
    assert (statuses(), given_back(), orders.load(ID).order.overall) == (["COMPLETED"], 3000, "ROLLED_BACK")


def test_cash_is_handed_out_by_people_and_nothing_waits_for_it(world: World) -> None:
    world.live(OrderStatus.DELIVERED, method="CASH_ON_DELIVERY")
    world.http(RETURN, ID, **STAFF)
    world.unwind()
    snapshot = orders.load(ID)
    assert (snapshot.order.overall, statuses(), only_refund().due_at) == ("ROLLED_BACK", ["PENDING"], None)
    assert snapshot.payment
    assert (snapshot.payment.status, given_back()) == ("COMPLETED", 0)
    done = by_id(world, COMPLETE, only_refund().refund_id)
    assert (done.status, done.body["payment"]["status"], given_back()) == (200, "REFUNDED", 3000)
    assert by_id(world, COMPLETE, only_refund().refund_id).status == 409


def test_a_part_of_cash_is_handed_out(world: World) -> None:
    world.live(OrderStatus.DELIVERED, method="CASH_ON_DELIVERY")
    (pending,) = refund(world, amount=usd(700)).body["refunds"]
    assert pending["status"] == "PENDING"
    assert refund(world, amount=usd(2301)).status == 409
    assert by_id(world, COMPLETE, pending["refund_id"]).body["payment"]["status"] == "PARTIALLY_REFUNDED"
    assert given_back() == 700


# --- races ---


def interrupted(patch: pytest.MonkeyPatch, what: Any) -> None:
    """Somebody does this at the moment when the provider has given the money back and nobody has noted it yet."""
    done = GATEWAY.refund

    def refunded(gateway: Any, *arguments: Any) -> GatewayOutcome:
        patch.setattr(GATEWAY, "refund", done)
        outcome = done(gateway, *arguments)
        what()
        return outcome

    patch.setattr(GATEWAY, "refund", refunded)


def test_two_refunds_that_are_more_than_there_is_are_not_both_taken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.live(OrderStatus.DELIVERED)
    answers = list[int]()
    interrupted(monkeypatch, lambda: answers.append(refund(world, amount=usd(2000)).status))
    assert refund(world, amount=usd(2000)).status == 200
    assert (answers, given_back(), statuses()) == ([409], 2000, ["COMPLETED"])


def test_an_order_that_is_cancelled_during_a_refund_gives_back_the_rest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.live(OrderStatus.PROCESSING)

    def cancelled() -> None:
        world.http(CANCEL, ID)
        world.unwind()

    interrupted(monkeypatch, cancelled)
    answer = refund(world, amount=usd(2000)).body
    assert [one["amount"]["amount"] for one in answer["refunds"]] == [2000, 1000]
    assert (answer["payment"]["status"], statuses(), given_back()) == ("REFUNDED", ["COMPLETED"] * 2, 3000)


def test_a_sweep_at_the_same_moment_gives_nothing_back_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.live(OrderStatus.DELIVERED)
    interrupted(monkeypatch, lambda: recovery.sweep(clock=in_two_minutes))
    refund(world, amount=usd(2000))
    assert (statuses(), given_back()) == (["COMPLETED"], 2000)
    assert world.trail().count("PAYMENT_REFUNDED") == 1


def test_a_refund_is_asked_for_once_under_a_key(world: World) -> None:
    world.live(OrderStatus.DELIVERED)
    key = {"idempotency-key": "k1"}
    first = world.http(REFUND, ID, {**WHY, "amount": usd(100)}, headers=key, **STAFF)
    again = world.http(REFUND, ID, {**WHY, "amount": usd(100)}, headers=key, **STAFF)
    assert (again.body, again.headers["idempotent-replayed"], given_back()) == (first.body, "true", 100)
    assert world.http(REFUND, ID, {**WHY, "amount": usd(101)}, headers=key, **STAFF).status == 422


def test_what_the_money_came_to_adds_up_at_the_provider_and_here(world: World) -> None:
    world.live(OrderStatus.DELIVERED, token="tok_refund_declined_2")
    for amount in (700, 1, 300, 2000, 500):
        refund(world, amount=usd(amount))
    found = orders.load(ID)
    assert found.payment
    completed = sum(one.amount.amount for one in found.refunds if one.status is RefundStatus.COMPLETED)
    assert completed == found.payment.amount_refunded == given_back() == 2800
