"""One table with several releases' functions around it; which of them answers the next call is the test's to say."""

import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from orders.adapters.store import keys, table
from orders.domain.order import Order
from orders.domain.steps import unwound_from
from tests.harness.events import ALL_TAKEN, a_batch, a_record, messages
from tests.harness.fakes import FakeBus, FakeStepFunctions
from tests.harness.world import ENVIRONMENT, Answer, Json, World, check_answer, table_of_the_template
from tests.upgrade.releases import Present, Release

URL = "https://example.com/hook"
QUEUES = ("WEBHOOK_DELIVERIES_URL", "UNHANDLED_EVENTS_URL")


@dataclass
class SharedTable(World):
    """A world whose functions are those of ``release``; the other releases' are at hand in ``releases``."""

    releases: tuple[Release, ...] = ()
    sent: list[tuple[str, str]] = field(default_factory=list)
    """Each webhook attempt, as the id of the delivery and its payload."""
    endpoint_status: int = 204
    """What the webhooks' endpoint answers."""
    release: Release = field(init=False)

    def __post_init__(self) -> None:
        self.release = self.releases[0]
        super().__post_init__()

    def invoke(self, module: str, event: Json) -> Json:
        with self.release.running():
            return super().invoke(module, event)

    def function_of(self, route_key: str) -> str:
        function: str = self.release.module("orders.web.routes").ROUTES[route_key].function
        return function

    def check(self, route_key: str, answer: Answer) -> None:
        if isinstance(self.release, Present):
            check_answer(route_key, answer)

    def refused(self, name: str, module: str, order_id: str, **more: Json) -> None:
        """A step that is refused, by the error's name: each release has classes of its own."""
        try:
            self.step(module, order_id, **more)
        except Exception as error:  # noqa: BLE001 - the class is the release's own; its name is what is known here
            assert type(error).__name__ == name, error  # noqa: PT017
        else:
            raise AssertionError(f"{module} was not refused")

    def seen_by_all(self, route_key: str, path: str, **more: Any) -> list[Json]:
        """One request to every release; answers what each said."""
        found = []
        for release in self.releases:
            self.release = release
            answer = self.http(route_key, path, **more)
            assert answer.status == 200, answer.text
            found.append(answer.body)
        return found

    # --- the stream, the queues ---

    def images(self, order_id: str) -> list[dict[str, Any]]:
        """The stream's records of all of an order's events."""
        return [a_record(item, f"{order_id}/{item['SK']['S']}") for item in self.items(order_id, "EVENT#")]

    def published(self, order_id: str) -> list[dict[str, Any]]:
        """What the current release puts on the bus for all of an order's events."""
        self.bus.taken.clear()
        assert self.invoke("publish_changes", a_batch(self.images(order_id))) == ALL_TAKEN
        return self.bus.details()

    def published_by_all(self, order_id: str) -> list[list[dict[str, Any]]]:
        """What each of the releases would put on the bus for an order's events."""
        found = []
        for release in self.releases:
            self.release = release
            found.append(self.published(order_id))
        return found

    def queue(self, function: str, bodies: Iterable[Json]) -> None:
        """Gives messages to a queue's function; all of them are taken."""
        assert self.invoke(function, a_batch(messages(bodies))) == ALL_TAKEN

    def pending_deliveries(self) -> list[Json]:
        """Takes what waits in the webhooks' queue."""
        return waiting(os.environ["WEBHOOK_DELIVERIES_URL"])

    def subscribe(self) -> str:
        answer = self.http("POST /webhooks", None, {"url": URL, "events": []}, by="ann", groups=["admin"])
        assert answer.status == 201, answer.text
        return str(answer.body["webhook_id"])

    def deliveries(self, webhook_id: str) -> list[dict[str, Any]]:
        answer = self.http("GET /webhooks/{id}/deliveries", webhook_id, by="ann", groups=["admin"], query={"limit": "100"})
        assert answer.status == 200, answer.text
        found: list[dict[str, Any]] = answer.body["deliveries"]
        return found

    def unwinding(self, order_id: str) -> list[str]:
        """The steps that the unwinding machine has for the order, as this release sees it."""
        with self.release.running():
            decisions, found = (
                self.release.module("orders.domain.decisions.unwinding"),
                self.release.module("orders.adapters.store.orders").load(order_id),
            )
            return [task.function for task in unwound_from(decisions.undo_from(found))]

    def check_figures(self, found: list[Order]) -> None:
        """Each product counts what its orders say that it counts: edition one moves neither."""
        wanted: dict[str, tuple[int, int]] = dict.fromkeys(self.stocked, (0, 0))
        for order in found:
            for line, counted in zip(order.lines, order.counted, strict=False):
                reserved, sold = wanted[line.product_id]
                wanted[line.product_id] = reserved + counted[0], sold + counted[1]
        assert {product_id: self.figures(product_id) for product_id in wanted} == wanted

    def clear(self) -> None:
        """Forgets the orders; the catalog is as in the beginning."""
        for item in self.everything():
            table.client().delete_item(TableName=ENVIRONMENT["TABLE_NAME"], Key={"PK": item["PK"], "SK": item["SK"]})
        for product_id, pieces in self.stocked.items():
            self.stock(product_id, pieces)
        self.followed.clear()
        self.executions.executions.clear()

    def raw(self, key: keys.Key) -> dict[str, Any]:
        """An item as it stands in the table."""
        answer = table.client().get_item(TableName=ENVIRONMENT["TABLE_NAME"], Key=dict(key), ConsistentRead=True)
        return dict(answer["Item"])

    def put(self, item: dict[str, Any]) -> None:
        table.client().put_item(TableName=ENVIRONMENT["TABLE_NAME"], Item=item)


def waiting(url: str) -> list[Json]:
    """Takes what waits in a queue."""
    sqs, found = boto3.client("sqs"), []
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages"):
        for message in batch:
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def open_table(patch: pytest.MonkeyPatch, releases: tuple[Release, ...]) -> SharedTable:
    """A table from the template, and everything around the functions of these releases."""
    table.client().create_table(**table_of_the_template())
    sqs = boto3.client("sqs")
    for queue in QUEUES:
        url = sqs.create_queue(QueueName=ENVIRONMENT[queue])["QueueUrl"]
        patch.setenv(queue, url)
    patch.setattr(time, "sleep", lambda seconds: None)
    executions, events = FakeStepFunctions(), FakeBus()
    made: list[SharedTable] = []
    for release in releases:
        patch.setattr(release.module("orders.adapters.workflow"), "client", lambda: executions)
        patch.setattr(release.module("orders.adapters.bus"), "client", lambda: events)

        patch.setattr(release.module("orders.adapters.webhook_sender"), "send", _sending(release, made))
    made.append(SharedTable(executions, events, releases=releases))
    return made[0]


def _sending(release: Release, made: list[SharedTable]) -> Any:
    """Stands for the way to the webhooks' endpoint."""
    attempt = release.module("orders.domain.webhooks").Attempt

    def send(delivery: Any, *_: Any, **__: Any) -> Any:
        made[0].sent.append((delivery.delivery_id, delivery.payload))
        return attempt(datetime.now(UTC), 12, made[0].endpoint_status)

    return send


def part_of(less: Json, more: Json, path: str = "") -> None:
    """All that one answer says, the other says too: a later release may say more."""
    if isinstance(less, dict):
        assert set(less) <= set(more), path
        for name, value in less.items():
            part_of(value, more[name], f"{path}/{name}")
    elif isinstance(less, list):
        assert len(less) == len(more), path
        for number, value in enumerate(less):
            part_of(value, more[number], f"{path}/{number}")
    else:
        assert less == more, path
