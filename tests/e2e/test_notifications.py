"""Everyone who waits for news gets it, whatever fails on the way: on a stack of this process, whose faults are made here."""

import asyncio
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from local.cli.listen import Receiver
from local.lambda_runtime.lambdas import Call, Invocation
from local.stack.running import running, wait_until
from local.stack.settings import Settings
from local.stack.stack import Stack
from orders.domain import notifications
from tests.e2e.conftest import FULL
from tests.harness.books import Books
from tests.harness.stacks import Deployment, deployed, in_this_process, until

Figure = Callable[[str], None]
Json = dict[str, Any]
NO_WAITS = {"PaymentWaitSeconds": "0", "PreparationWaitSeconds": "0", "DeliveryWaitSeconds": "0"}


@pytest.fixture(autouse=True)
def _here() -> None:
    if deployed():
        pytest.skip("needs a look inside a stack of this process")


class Here:
    """A stack in this process, as the other tests see one, and its inside."""

    def __init__(self, inside: Stack) -> None:
        self.inside = inside
        self.outside = in_this_process(inside)

    def settle(self, seconds: float = 300) -> None:
        """Until every order has come to rest and all news of them has arrived, also what failed before."""

        async def settled() -> bool:
            return self.inside.settled()

        wait_until(lambda: asyncio.run_coroutine_threadsafe(settled(), self.inside.loop).result(), seconds)


@pytest.fixture
def here() -> Iterator[Here]:
    with running(Settings(parameters=NO_WAITS, disorder=2026)) as inside:
        made = Here(inside)
        yield made
        made.outside.close()


def observed(stack: Deployment) -> Callable[[], list[Json]]:
    """Subscribes a queue to everything that the product says on the bus; answers what takes it, in the order of its arrival."""
    events, sqs = stack.aws("events"), stack.aws("sqs")
    url = sqs.create_queue(QueueName="observer", Attributes={"VisibilityTimeout": "3600"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus = stack.aws_names["BusName"]
    events.put_rule(Name="observe", EventBusName=bus, EventPattern=json.dumps({"source": ["orders"]}))
    events.put_targets(Rule="observe", EventBusName=bus, Targets=[{"Id": "observer", "Arn": arn}])

    def take() -> list[Json]:
        found: list[Json] = []
        while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"])["detail"] for message in batch]
        return found

    return take


class Faults:
    """Each batch is handled twice, and every tenth call fails once its work is done."""

    def __init__(self, *functions: str) -> None:
        self._functions = set(functions)
        self._lock = threading.Lock()
        self.calls = self.failed = 0

    def __call__(self, invocation: Invocation, call: Call) -> Any:
        if invocation.function not in self._functions:
            return call(invocation)
        with self._lock:
            self.calls += 1
            fails = self.calls % 10 == 0
            self.failed += fails
        call(invocation)
        if fails:
            raise RuntimeError("It did its work, and then it died.")
        return call(invocation)


def place(stack: Deployment, count: int) -> list[str]:
    """Orders of every kind: paid, declined, in cash, cancelled on the way."""
    ids = []
    for number in range(count):
        kind = number % 5
        how: Json = {"token": "tok_declined"} if kind == 1 else {"method": "CASH_ON_DELIVERY"} if kind == 2 else {}
        ids.append(stack.ada.place(**how)["order"]["order_id"])
        if kind == 3:
            stack.ada.post(f"/orders/{ids[-1]}/cancel")  # one that is too late is refused
    return ids


def test_every_change_is_told_under_one_id_can_be_put_in_order_and_is_counted_once(here: Here, figure: Figure) -> None:
    orders = 500 if FULL else 40
    stack, inside = here.outside, here.inside
    names = inside.resources
    faults = Faults(
        *(names[f"{name}Function"] for name in ("PublishChanges", "DriveWorkflow", "KeepStatistics", "FanOutWebhooks"))
    )
    take = observed(stack)
    with Receiver(0, show=lambda _: None) as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        made = stack.admin.post("/webhooks", {"url": receiver.address, "events": ["OrderStatusChanged"]}).json()
        receiver.trust(made["secret"])
        for mapping in ("StatisticsEvents", "WebhookEvents"):
            # What failed comes again soon, instead of after the three minutes that the template gives.
            stack.aws("sqs").set_queue_attributes(QueueUrl=names[mapping], Attributes={"VisibilityTimeout": "2"})
        inside.lambdas.wrappers.append(faults)
        began = time.monotonic()
        ids = place(stack, orders)
        for order_id in ids:
            stack.ada.until_over(order_id, seconds=300)
        done = time.monotonic() - began
        here.settle()
        receiver.shutdown()
    told = take()
    books = Books.of(stack)
    committed = {name: [m for event in books.accounts[name].trail for m in notifications.messages(event)] for name in ids}
    expected = [detail["event_id"] for messages in committed.values() for _, detail, _ in messages]
    figure(
        f"{orders} orders, every batch twice, every tenth failing ({faults.failed} of {faults.calls}): {len(expected)} changes "
        f"were told {len(told)} times; orders through in {done:.1f} s, all news in {time.monotonic() - began:.1f} s"
    )
    assert faults.failed > 0
    # Every committed change, nothing else, under one id.
    firsts = {detail["event_id"]: detail for detail in reversed(told)}
    assert set(firsts) == set(expected)
    assert len(told) > len(expected), "the faults did repeat some"
    assert all(firsts[detail["event_id"]] == detail for detail in told), "told twice, it says the same"
    # In whatever order they come: by version, and by id within a version, they stand as they happened.
    seen: dict[str, list[str]] = defaultdict(list)
    for detail in sorted(firsts.values(), key=lambda one: (one["version"], one["event_id"])):
        seen[detail["order_id"]].append(detail["event_id"])
    assert seen == {name: [detail["event_id"] for _, detail, _ in messages] for name, messages in committed.items()}
    newest: dict[str, int] = defaultdict(int)
    overtaken = 0
    for detail in told:
        overtaken += detail["version"] < newest[detail["order_id"]]
        newest[detail["order_id"]] = max(newest[detail["order_id"]], detail["version"])
    assert overtaken > 0, "the stream did reorder some"
    # The webhook: each change of status, each once after dedupe.
    got = Counter(message["data"]["event_id"] for message in receiver.seen)
    assert set(got) == {
        d["event_id"] for messages in committed.values() for kind, d, _ in messages if kind == "OrderStatusChanged"
    }
    # The counters are a recount.
    summary = stack.support.get("/analytics/summary").json()
    now = Counter(books.accounts[name].order.status.value for name in ids)
    assert {entry["status"]: entry["count"] for entry in summary["statuses"] if entry["count"]} == dict(now)
    assert summary["orders_placed"] == orders
    failures = sum(
        kind == "STEP_FAILED" and detail.get("step") == "Payment Processing"
        for messages in committed.values()
        for kind, detail, _ in messages
    )
    assert summary["payment_failures"] == failures > 0
    assert summary["cancel_rate"] == round(now["CANCELLED"] / orders, 4)
    waited = _waited(books, ids)
    for entry in summary["statuses"]:
        if entry["time_in_status"]:
            count, seconds = waited[entry["status"]]
            assert abs(entry["time_in_status"]["mean_seconds"] - seconds / count) < 0.002
    letters = stack.aws("sqs").get_queue_attributes(QueueUrl=names["UnhandledEvents"], AttributeNames=["All"])["Attributes"]
    assert letters["ApproximateNumberOfMessages"] == "0"


def _waited(books: Books, ids: list[str]) -> dict[str, tuple[int, float]]:
    """How often each status was left, and after how many seconds altogether: from the trails alone."""
    found: dict[str, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for name in ids:
        entered = [event for event in books.accounts[name].trail if event.old_status is not event.status]
        for before, after in pairwise(entered):
            count, seconds = found[before.status.value]
            found[before.status.value] = (count + 1, seconds + (after.at - before.at).total_seconds())
    return found


def test_a_poisoned_record_reaches_its_destination_while_the_others_go_on(here: Here) -> None:
    stack, names = here.outside, here.inside.resources
    take = observed(stack)
    dynamodb = stack.aws("dynamodb")
    ids = []
    for number in range(20):
        if number % 5 == 0:
            bad = {"PK": {"S": f"ORDER#bad-{number}"}, "SK": {"S": "EVENT#00000001"}, "kind": {"S": "event"}}
            dynamodb.put_item(TableName=here.inside.outputs["TableName"], Item=bad)
        ids.append(stack.ada.place()["order"]["order_id"])
    for order_id in ids:
        assert stack.ada.until_over(order_id)["order"]["status"] == "DELIVERED"
    sqs, letters = stack.aws("sqs"), list[Json]()

    def set_aside() -> bool:
        batch = sqs.receive_message(QueueUrl=names["UnhandledEvents"], MaxNumberOfMessages=10).get("Messages", [])
        letters.extend(json.loads(message["Body"]) for message in batch)
        return len(letters) >= 4

    until(set_aside, what="the poisoned records")
    here.settle()
    poisoned = {letter["record"]["dynamodb"]["NewImage"]["PK"]["S"] for letter in letters}
    assert poisoned == {f"ORDER#bad-{number}" for number in (0, 5, 10, 15)}
    delivered = {d["order_id"] for d in take() if d["event_type"] == "OrderStatusChanged" and d["new_status"] == "DELIVERED"}
    assert delivered == set(ids)
