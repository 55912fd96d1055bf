"""Keeping the workflow going: what follows from a change, what the sweep finds, what sync repairs; each order for itself."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from orders import settings
from orders.adapters import workflow
from orders.adapters.store import indexes, orders, table
from orders.domain.identifiers import OrderId
from orders.domain.order import Snapshot, timestamp
from orders.domain.statuses import OrderStatus, OverallStatus
from orders.domain.waits import GRACE, LONGEST
from orders.services import recovery, stuck
from orders.services.changes import utc_now
from tests.harness.caches import forget_settings
from tests.harness.events import ALL_TAKEN, a_batch, a_record
from tests.harness.fakes import throttled
from tests.harness.world import FULFIL, UNWIND, World, in_a_while

LONG = 10_000.0


def sweep_later(world: World, seconds: float = LONG) -> list[str]:
    swept = recovery.sweep(clock=in_a_while(seconds))
    assert swept.cursor is None
    return list(swept.restarted)


def record(order_id: str, follow_up: str, sequence: str) -> dict[str, Any]:
    image = {"order_id": {"S": order_id}, "follow_up": {"S": follow_up}, "version": {"N": "1"}}
    return a_record(image, sequence)


# --- following up ---


def test_one_bad_record_does_not_hold_back_the_others(world: World) -> None:
    world.place("one")
    world.place("two")
    records = [
        record("one", "start_fulfilment", "1"),
        record("nowhere", "start_fulfilment", "2"),
        record("one", "no such thing", "3"),
        a_record({}, "4"),
        record("two", "start_fulfilment", "5"),
    ]
    answer = world.invoke("drive_workflow", a_batch(records))
    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == ["2", "3", "4"]
    assert world.executions.running() == ["fulfil one", "fulfil two"]


def test_every_record_comes_again_when_the_service_is_down(world: World) -> None:
    world.place()
    world.executions.breaks = throttled("StartExecution")
    answer = world.invoke("drive_workflow", a_batch(world.records()))
    assert len(answer["batchItemFailures"]) == 1
    world.executions.breaks = None
    assert world.invoke("drive_workflow", a_batch(world.records())) == ALL_TAKEN
    assert world.executions.running() == ["fulfil order-1"]


def test_records_delivered_again_and_late_change_nothing(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    world.http("POST /orders/{id}/cancel", "order-1")
    for _ in range(3):
        world.invoke("drive_workflow", a_batch(world.records()))
    world.invoke("drive_workflow", a_batch(world.records()[::-1]))
    assert world.executions.running() == ["unwind order-1"]
    assert world.executions.executions[f"{FULFIL}:order-1"]["status"] == "ABORTED"


def test_an_order_cancelled_before_its_start_was_read_is_never_started(world: World) -> None:
    world.place()
    world.http("POST /orders/{id}/cancel", "order-1")
    world.follow_up()
    assert world.executions.executions == {}


def test_a_late_start_of_an_order_that_is_being_unwound_starts_the_unwinding_only(world: World) -> None:
    world.place()
    world.step("reserve_stock")
    world.http("POST /orders/{id}/cancel", "order-1")
    world.invoke("drive_workflow", a_batch(world.records()[:1]))
    assert world.executions.running() == ["unwind order-1"]


def test_the_unwinding_enters_where_the_last_effect_was(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    world.http("POST /orders/{id}/cancel", "order-1")
    world.follow_up()
    assert world.executions.input_of(f"{UNWIND}:order-1")["undo_from"] == "payment"


def test_a_token_that_waits_no_more_is_left_alone(world: World) -> None:
    world.place(require_approval=True)
    world.reserve_for_review()
    world.step("request_approval", task_token="gone", seconds=1)
    world.support("POST /orders/{id}/approve", "order-1")
    assert "ANSWER_APPROVED" in world.follow_up()
    assert world.executions.answers == {}


# --- the sweep ---


def test_an_order_in_time_is_left_alone(world: World) -> None:
    world.place()
    assert world.invoke("sweep_orders", {})["looked_at"] == 0
    assert world.order().version == 1


def test_a_lost_start_is_found(world: World) -> None:
    world.place()
    assert sweep_later(world) == ["order-1"]
    assert world.follow_up()
    assert world.executions.running() == ["fulfil order-1"]
    world.go_on(OrderStatus.DELIVERED)
    world.add_up()


@pytest.mark.parametrize("end", ["FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED", "lost"])
@pytest.mark.parametrize("status", [OrderStatus.PENDING, OrderStatus.PROCESSING, OrderStatus.SHIPPED])
def test_an_execution_that_ended_too_early_is_started_again_and_repeats_nothing(
    world: World, end: str, status: OrderStatus
) -> None:
    world.live(status)
    if end == "lost":
        world.executions.lose(f"{FULFIL}:order-1")
    else:
        world.executions.end(f"{FULFIL}:order-1", end)
    due("order-1", minutes=5)
    assert recovery.sweep().restarted == ("order-1",)
    world.follow_up()
    # One that the service does not know was never started, as far as anybody can tell: it is asked for under its own name.
    name = "order-1" if end == "lost" else "_2_order-1"
    assert world.executions.running() == [f"fulfil {name}"]
    waits = world.executions.input_of(f"{FULFIL}:{name}")["waits"]
    assert all(isinstance(seconds, int) for seconds in waits.values())
    world.step("reserve_stock")
    world.step("charge_payment")
    world.step("ship_parcel", task_token="again", transit=waits["transit"])
    world.step("deliver_order")
    assert [entry["state"] for entry in world.ledger()] == ["charged"]
    assert len(world.ledger("CARRIER")) == 1
    world.add_up()


def test_an_order_whose_execution_is_alive_is_looked_at_again_later(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    version, due = world.order().version, world.order().due_at
    assert sweep_later(world) == []
    after = world.order()
    assert after.version == version
    assert after.due_at is not None
    assert due is not None
    assert after.due_at > due
    assert after.due_at > utc_now() + timedelta(seconds=LONG)
    assert world.http("GET /orders/{id}/history", "order-1").status == 200


def test_a_lost_unwinding_is_found(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    world.http("POST /orders/{id}/cancel", "order-1")
    assert sweep_later(world) == ["order-1"]
    world.follow_up()
    assert world.executions.running() == ["unwind order-1"]
    world.unwind()
    assert sweep_later(world, 2 * LONG) == []
    assert [entry["state"] for entry in world.ledger()] == ["refunded"]
    world.add_up()


def test_an_unwinding_that_stopped_half_way_goes_on_from_there(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    world.http("POST /orders/{id}/cancel", "order-1")
    world.follow_up()
    world.step("refund_payment")
    world.executions.end(f"{UNWIND}:order-1", "FAILED")
    sweep_later(world)
    world.follow_up()
    assert world.executions.input_of(f"{UNWIND}:_2_order-1")["undo_from"] == "stock"
    world.unwind()
    world.add_up()


@pytest.mark.parametrize("status", [OrderStatus.DELIVERED, OrderStatus.CANCELLED, OrderStatus.RETURNED])
def test_an_order_that_is_over_is_never_swept(world: World, status: OrderStatus) -> None:
    world.live(status)
    if status is not OrderStatus.DELIVERED:
        world.unwind()
    assert recovery.sweep(everything=True, clock=in_a_while(LONG)).looked_at == 0
    assert list(indexes.orders_due(None)) == []


def test_everything_that_is_open_is_swept_when_asked(world: World) -> None:
    world.place("one")
    world.place("two")
    world.live(OrderStatus.DELIVERED, "three")
    answer = world.invoke("sweep_orders", {"everything": True})
    assert sorted(answer["restarted"]) == ["one", "two"]
    assert answer["cursor"] is None


def swept_since(world: World, began: datetime) -> list[str]:
    """What a sweep of everything restarts that began at that moment, and comes to the orders now."""
    answer = world.invoke("sweep_orders", {"everything": True, "cursor": f"{timestamp(began)} "})
    assert answer["cursor"] is None
    return list(answer["restarted"])


def test_a_lost_order_that_changes_while_everything_is_swept_is_restarted_all_the_same(world: World) -> None:
    """As after a restart of the service: with no workflow that waits, nothing follows from an approval."""
    world.place(require_approval=True)
    began = utc_now()
    assert world.http("POST /orders/{id}/approve", "order-1", groups=["support"]).status == 200
    assert swept_since(world, began) == ["order-1"]
    assert swept_since(world, began) == [], "it is being started"
    world.follow_up()
    assert world.executions.running() == ["fulfil order-1"]


def test_what_is_placed_or_closed_while_everything_is_swept_is_left_to_what_follows_from_that(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    began = utc_now()
    world.http("POST /orders/{id}/cancel", "order-1")
    world.place("order-2")
    assert swept_since(world, began) == []
    world.follow_up()
    world.follow_up("order-2")
    assert world.executions.running() == ["fulfil order-2", "unwind order-1"]


def test_one_order_that_cannot_be_repaired_does_not_hold_back_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for order_id in ("one", "two", "three"):
        world.place(order_id)
        due(order_id, minutes=5)
    real = orders.load

    def load(order_id: str) -> Snapshot:
        if order_id == "one":
            raise ValueError("this item cannot be read")
        return real(OrderId(order_id))

    monkeypatch.setattr(orders, "load", load)
    answer = world.invoke("sweep_orders", {"everything": True})
    assert (sorted(answer["restarted"]), answer["failed"]) == (["three", "two"], ["one"])
    assert [place.order_id for place in indexes.orders_due(utc_now())] == ["one"], "everything moves nothing in the index"
    with pytest.raises(ExceptionGroup, match="one"):
        world.invoke("sweep_orders", {})
    assert list(indexes.orders_due(utc_now())) == [], "it has got behind the others"


def test_an_order_that_fails_in_run_after_run_is_given_up_with_its_money_back(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    for run in range(recovery.MOST_FAILED_RUNS):
        assert not world.order().is_over, f"after {run} failed runs"
        world.executions.end(workflow.fulfillment_arn(world.order()), "FAILED", "StoreBusy")
        sweep_later(world, LONG * (run + 1))
        world.follow_up()
    assert world.order().overall is OverallStatus.ROLLING_BACK
    world.unwind()
    shown = world.http("GET /orders/{id}", "order-1").order
    assert (shown["status"], shown["cancellation"]["reason"]) == ("CANCELLED", "expired")
    world.add_up()


def test_an_order_that_waits_for_an_answer_and_fails_in_run_after_run_is_given_up_with_its_goods_back(world: World) -> None:
    world.stock("few", 1)
    world.place(product="few", quantity=2, shortage="ask")
    world.follow_up()
    assert world.step("reserve_stock", outcomes=True)["stock"] == {"outcome": "short"}
    for run in range(recovery.MOST_FAILED_RUNS):
        world.executions.end(workflow.fulfillment_arn(world.order()), "FAILED", "StoreBusy")
        sweep_later(world, 3 * 86_400 * (run + 1))
        world.follow_up()
    world.unwind()
    assert world.http("GET /orders/{id}", "order-1").order["cancellation"]["reason"] == "expired"
    assert (world.order().status, world.pieces("few"), world.figures("few")) == (OrderStatus.CANCELLED, 1, (0, 0))


@pytest.mark.parametrize(
    ("status", "error"),
    [("ABORTED", None), ("FAILED", "States.ServiceRestart"), ("lost", None)],
    ids=["stopped", "restarted", "lost"],
)
def test_an_order_that_only_waits_outlives_every_restart_of_the_service(world: World, status: str, error: str | None) -> None:
    world.live(OrderStatus.PROCESSING)
    for restart in range(3 * recovery.MOST_FAILED_RUNS):
        if status == "lost":
            world.executions.executions.clear()
        else:
            world.executions.end(workflow.fulfillment_arn(world.order()), status, error)
        assert sweep_later(world, LONG * (restart + 1)) == ["order-1"]
        world.follow_up()
    assert (world.order().status, world.order().is_over) == (OrderStatus.PROCESSING, False)
    world.go_on(OrderStatus.DELIVERED)
    world.add_up()


def test_a_step_that_is_finished_forgives_the_runs_that_failed_before_it(world: World) -> None:
    world.live(OrderStatus.PENDING)
    for run in range(recovery.MOST_FAILED_RUNS - 1):
        world.executions.end(workflow.fulfillment_arn(world.order()), "FAILED", "StoreBusy")
        sweep_later(world, LONG * (run + 1))
        world.follow_up()
    assert world.order().failed_runs == recovery.MOST_FAILED_RUNS - 1
    world.step("reserve_stock")
    assert world.order().failed_runs == 0


def test_an_execution_too_young_to_be_described_is_not_started_a_second_time(world: World) -> None:
    """DescribeExecution is eventually consistent: what was started a moment ago may not be there yet."""
    world.place()
    world.follow_up()
    world.executions.unseen.add(f"{FULFIL}:order-1")
    assert sweep_later(world) == ["order-1"]
    world.follow_up()
    assert world.executions.running() == ["fulfil order-1"]
    assert world.order().run == 1


# --- its quota and its time ---


def due(order_id: str, minutes: float) -> None:
    """Lets an order be overdue by so many minutes."""
    place = next(place for place in indexes.orders_due(None) if place.order_id == order_id)
    assert indexes.postpone(place, utc_now() - timedelta(minutes=minutes))


def many_alive(world: World, count: int) -> list[str]:
    names = [f"order-{number:02d}" for number in range(count)]
    for name in names:
        world.place(name)
        world.follow_up(name)
    return names


def test_an_order_that_changes_while_it_is_swept_is_left_to_what_follows_from_that(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.live(OrderStatus.PROCESSING)
    due("order-1", 1)
    found = list(indexes.orders_due(utc_now()))
    world.http("POST /orders/{id}/cancel", "order-1")
    monkeypatch.setattr(indexes, "orders_due", lambda *_: iter(found))
    swept = recovery.sweep()
    assert (swept.looked_at, swept.restarted) == (1, ())
    world.follow_up()
    assert world.executions.running() == ["unwind order-1"]


class Hours:
    """A clock that runs only while somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def test_no_more_is_asked_of_the_service_in_a_second_than_its_quota_refills(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, hours, asked = many_alive(world, 20), Hours(), list[float]()
    real = world.executions.describe_execution

    def describe(**request: Any) -> dict[str, Any]:
        asked.append(hours.seconds)
        hours.seconds += 0.01  # a call takes its time
        return real(**request)

    monkeypatch.setattr(world.executions, "describe_execution", describe)
    pace = recovery.Pace(settings.sweep_rate(), lambda: hours.seconds, hours.sleep)
    swept = recovery.Sweep(everything=False, cursor=None, clock=in_a_while(LONG)).run(pace, lambda: 30.0)
    assert (swept.looked_at, len(asked)) == (len(names), len(names))
    assert settings.sweep_rate() < 10
    for began in asked:
        assert sum(began <= moment < began + 1 for moment in asked) <= settings.sweep_rate()


def test_a_sweep_stops_before_its_time_is_over_and_the_next_one_goes_on(world: World) -> None:
    names = many_alive(world, 9)
    for late, name in enumerate(reversed(names)):
        due(name, minutes=5 + late)
    cursors = []
    for _ in range(3):
        left = iter([30.0, 20.0, 10.0, 5.0])
        world.seconds_left = lambda left=left: next(left)  # type: ignore[misc]
        answer = world.invoke("sweep_orders", {})
        assert answer["looked_at"] == 3
        cursors.append(answer["cursor"])
    assert [cursor is None for cursor in cursors] == [False, False, True]
    assert world.executions.described == 9
    assert list(indexes.orders_due(utc_now())) == [], "each is looked at again later"


def test_everything_reaches_everything_over_several_invocations(world: World) -> None:
    names = many_alive(world, 10)
    for name in names[::2]:
        due(name, minutes=5)
    for name in names[:3]:
        world.executions.end(f"{FULFIL}:{name}", "ABORTED")
    restarted, event, invocations = list[str](), {"everything": True}, 0
    while event:
        left = iter([30.0, 20.0, 10.0, 5.0])
        world.seconds_left = lambda left=left: next(left)  # type: ignore[misc]
        answer = world.invoke("sweep_orders", event)
        restarted += answer["restarted"]
        invocations += 1
        event = {"everything": True, "cursor": answer["cursor"]} if answer["cursor"] else {}
    assert sorted(restarted) == names[:3], "each once"
    assert invocations >= 4
    assert world.executions.described == len(names), "each is asked about once"


def test_a_throttled_service_is_counted_and_not_pressed_further(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names, real = many_alive(world, 6), world.executions.describe_execution
    for name in names:
        due(name, minutes=5)

    def describe(**request: Any) -> dict[str, Any]:
        if world.executions.described >= 4:
            raise throttled("DescribeExecution")
        return real(**request)

    monkeypatch.setattr(world.executions, "describe_execution", describe)
    capsys.readouterr()
    answer = world.invoke("sweep_orders", {"everything": True})
    assert (answer["looked_at"], answer["throttled"]) == (4, 1)
    assert '"sweep_throttles_total":[1.0]' in capsys.readouterr().out.replace(" ", "")
    monkeypatch.undo()
    answer = world.invoke("sweep_orders", {"everything": True, "cursor": answer["cursor"]})
    assert (answer["looked_at"], answer["throttled"], answer["cursor"]) == (2, 0, None)


def test_a_busy_table_fails_no_sweep(world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def busy(**_: Any) -> Any:
        raise throttled("Query")

    monkeypatch.setattr(table.client(), "query", busy)
    answer = world.invoke("sweep_orders", {})
    assert (answer["looked_at"], answer["throttled"]) == (0, 1)
    printed = capsys.readouterr().out.replace(" ", "")
    assert '"sweep_throttles_total":[2.0]' in printed, "of the index of what is due, and of the count of what is stuck"


def test_a_parcel_that_only_the_carrier_may_report_costs_no_question(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELIVERY_MODE", "carrier")
    forget_settings()
    world.live(OrderStatus.SHIPPED)
    recovery.sweep(everything=True)
    assert world.executions.described == 0


# --- what only the carrier may end ---


def test_a_silent_carrier_is_reported_once_in_a_while_and_the_parcel_stays_shipped(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DELIVERY_MODE", "carrier")
    forget_settings()
    world.live(OrderStatus.SHIPPED)
    waits = json.loads(world.executions.executions[f"{FULFIL}:order-1"]["input"])["waits"]
    assert (waits["delivery"], waits["transit"]) == (LONGEST, LONGEST), "its execution waits for the carrier"
    overdue = settings.waits().delivery
    assert sweep_later(world, LONG) == []
    world.executions.executions.clear()
    due("order-1", minutes=1)
    world.invoke("sweep_orders", {})
    assert '"parcels_overdue_total":[1.0]' in capsys.readouterr().out
    recovery.sweep(clock=in_a_while(overdue - LONG))
    assert world.trail().count("DELIVERY_OVERDUE") == 1
    assert (world.order().status, world.order().run) == (OrderStatus.SHIPPED, 1)
    assert world.http("POST /orders/{id}/delivered", "order-1", {}, by="carl", groups=["carrier"]).status == 200
    world.follow_up()
    assert world.executions.answers["ship-order-1"]["status"] == "DELIVERED", "and ends when it has arrived"


def test_a_carrier_s_parcel_whose_execution_is_aborted_is_waited_for_by_the_next_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELIVERY_MODE", "carrier")
    forget_settings()
    world.live(OrderStatus.SHIPPED)
    world.executions.end(f"{FULFIL}:order-1", "ABORTED")
    world.invoke("sweep_orders", ended("order-1"))
    world.follow_up()
    assert world.executions.running() == ["fulfil _2_order-1"]
    world.executions.end(f"{FULFIL}:_2_order-1", "ABORTED")
    assert world.support("POST /orders/{id}/sync", "order-1").status == 200
    world.follow_up()
    assert world.executions.running() == ["fulfil _3_order-1"]


# --- what the service says of an execution ---


def ended(name: str, status: str = "ABORTED", machine: str = FULFIL) -> dict[str, Any]:
    """The service's word that an execution has ended, as far as the sweep reads it."""
    return {"detail": {"executionArn": f"{machine}:{name}", "name": name, "status": status}}


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_an_execution_that_died_is_started_again_at_once(world: World, status: str) -> None:
    world.live(OrderStatus.PROCESSING)
    world.executions.end(f"{FULFIL}:order-1", status)
    world.invoke("sweep_orders", ended("order-1", status))
    assert world.order().run == 2
    world.follow_up()
    world.invoke("sweep_orders", ended("order-1", status))
    assert world.order().run == 2, "told twice, started once"
    assert world.executions.running() == ["fulfil _2_order-1"]
    assert world.executions.described == 0, "the service's own word is taken: a mass of them would use up its quota"


def test_an_execution_that_fails_again_is_left_to_the_sweep(world: World) -> None:
    """What fails at once, each time, would otherwise be restarted every second, for ever where money is to be refunded."""
    world.live(OrderStatus.PROCESSING)
    world.http("POST /orders/{id}/cancel", "order-1")
    world.follow_up()
    world.executions.end(f"{UNWIND}:order-1", "FAILED")
    world.invoke("sweep_orders", ended("order-1", "FAILED", UNWIND))
    world.follow_up()
    assert world.order().unwind_run == 2, "the first time at once"
    world.executions.end(f"{UNWIND}:_2_order-1", "FAILED")
    world.invoke("sweep_orders", ended("_2_order-1", "FAILED", UNWIND))
    assert world.order().unwind_run == 2
    assert sweep_later(world) == ["order-1"]
    assert world.order().unwind_run == 3


def test_an_order_that_fails_again_is_looked_at_soon_however_long_its_waits_are(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    for run, name in enumerate(("order-1", "_2_order-1"), start=2):
        assert world.order().run == run - 1
        world.executions.end(f"{FULFIL}:{name}", "FAILED")
        world.invoke("sweep_orders", ended(name, "FAILED"))
        world.follow_up()
    due_at = world.order().due_at
    assert world.order().run == 2
    assert due_at is not None
    assert due_at <= in_a_while(GRACE.total_seconds())()


def test_the_end_of_an_execution_that_is_not_the_order_s_present_one_changes_nothing(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    version = world.order().version
    for event in (ended("_2_order-1"), ended("order-1", machine=UNWIND)):
        world.invoke("sweep_orders", event)
    assert world.order().version == version


def test_the_end_of_a_cancelled_orders_execution_starts_nothing(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    world.http("POST /orders/{id}/cancel", "order-1")
    world.follow_up()
    version = world.order().version
    world.invoke("sweep_orders", ended("order-1"))
    assert world.order().version == version


def test_an_execution_that_is_stopped_for_its_unwinding_is_not_taken_for_dead(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service tells of the stop at once; by then the unwinding must have begun."""
    world.live(OrderStatus.PROCESSING)
    world.http("POST /orders/{id}/cancel", "order-1")
    real = world.executions.stop_execution

    def stop(**request: Any) -> dict[str, Any]:
        answer = real(**request)
        world.invoke("sweep_orders", ended("order-1"))
        return answer

    monkeypatch.setattr(world.executions, "stop_execution", stop)
    world.follow_up()
    assert world.order().unwind_run == 1
    assert world.executions.running() == ["unwind order-1"]


def test_an_execution_of_nobody_is_no_fault(world: World) -> None:
    assert world.invoke("sweep_orders", ended("nobody"))["checked"] == "nobody"
    assert world.invoke("sweep_orders", ended("_2_a_b"))["checked"] == "_2_a_b"


# --- sync ---


def test_support_repairs_one_order_at_once(world: World) -> None:
    world.live(OrderStatus.PROCESSING)
    assert world.support("POST /orders/{id}/sync", "order-1").order["version"] == world.order().version
    world.executions.end(f"{FULFIL}:order-1", "FAILED")
    answer = world.support("POST /orders/{id}/sync", "order-1")
    assert answer.status == 200
    trail = world.support("GET /orders/{id}/history", "order-1").body["history"]
    assert (trail[-1]["event_type"], trail[-1]["triggered_by"]) == ("WORKFLOW_RESTARTED", "grace")


@pytest.mark.parametrize("status", [OrderStatus.DELIVERED, OrderStatus.CANCELLED, OrderStatus.RETURNED])
def test_an_order_that_is_over_needs_no_repair(world: World, status: OrderStatus) -> None:
    world.live(status)
    if status is not OrderStatus.DELIVERED:
        world.unwind()
    version = world.order().version
    assert world.support("POST /orders/{id}/sync", "order-1").order["version"] == version


def test_two_syncs_at_once_restart_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.place()
    real = orders.commit

    def commit(*arguments: Any) -> None:
        monkeypatch.setattr(orders, "commit", real)
        world.support("POST /orders/{id}/sync", "order-1")
        real(*arguments)

    monkeypatch.setattr(orders, "commit", commit)
    assert world.support("POST /orders/{id}/sync", "order-1").status == 200
    assert world.trail().count("WORKFLOW_RESTARTED") == 1


def test_a_workflow_service_that_is_down_changes_nothing(world: World) -> None:
    world.place()
    world.executions.breaks = throttled("DescribeExecution")
    answer = world.support("POST /orders/{id}/sync", "order-1")
    assert (answer.status, answer.body["code"]) == (503, "UNAVAILABLE")
    assert world.order().run == 1


# --- what is stuck ---


def test_an_order_is_stuck_once_its_configured_waits_are_over_and_not_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.place()
    margin = stuck.STUCK_MARGIN.total_seconds()
    for approval in (300, 86_400):
        monkeypatch.setenv("APPROVAL_TIMEOUT_SECONDS", str(approval))
        forget_settings()
        waits = settings.waits()
        allowed = waits.approval + waits.payment + margin
        assert stuck.count(in_a_while(allowed - 60))[OrderStatus.PENDING] == 0
        assert stuck.count(in_a_while(allowed + 60))[OrderStatus.PENDING] == 1


def test_what_is_being_prepared_is_given_the_preparation_s_time_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREPARATION_WAIT_SECONDS", "172800")
    forget_settings()
    world.live(OrderStatus.PROCESSING)
    allowed = sum(timedelta(seconds=wait).total_seconds() for wait in (300, 5, 172_800)) + stuck.STUCK_MARGIN.total_seconds()
    assert stuck.count(in_a_while(allowed - 60))[OrderStatus.PROCESSING] == 0
    assert stuck.count(in_a_while(allowed + 60))[OrderStatus.PROCESSING] == 1
