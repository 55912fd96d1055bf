"""What an order uses on AWS, counted while it is lived on the local stack, and what a million of them cost.

Transitions come from the executions' histories, units from the engine's ConsumedCapacity (it counts as DynamoDB documents it),
events, messages and log bytes from the calls themselves. Left out is what the simulated gateway and carrier keep in the table.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.client import BaseClient

from bench.pipeline import wish
from local.cli.client import Api
from local.engine import internals
from local.lambda_runtime.lambdas import Call, Invocation
from local.stack.running import running, wait_until
from local.stack.settings import Settings
from local.stack.stack import Stack
from local.step_functions import callbacks

PRICES: dict[str, Any] = json.loads((Path(__file__).parent / "prices.json").read_text(encoding="utf-8"))
ASSUMED: dict[str, float] = {name: told["value"] for name, told in PRICES["assumed"].items()}
AT_ONCE = 20
WAITS = {"PaymentWaitSeconds": "1", "PreparationWaitSeconds": "1", "DeliveryWaitSeconds": "1", "LogLevel": "INFO"}
PRODUCTION = {**WAITS, "PaymentWaitSeconds": "0", "PreparationWaitSeconds": "0"}
"""As a shop runs it in timed mode: without the waits that show a process to an audience."""
PATIENT = {**WAITS, "PaymentWaitSeconds": "300"}
"""Where orders are cancelled while they wait, however busy the machine is: a stopped execution ends its wait."""
ITEM_CALLS = {"BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem"}
OUTSIDE = ("GATEWAY#", "CARRIER#")
Json = Any


@dataclass
class Count:
    """What was used so far."""

    units: Counter[str] = field(default_factory=Counter)
    functions: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    trips: dict[str, int] = field(default_factory=dict)
    """How many calls of AWS each function's last invocation made."""
    _here: threading.local = field(default_factory=threading.local)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def invoked(self, invocation: Invocation, call: Call) -> Json:
        self._here.requests, began = 0, time.thread_time()
        try:
            return call(invocation)
        finally:
            cpu = (time.thread_time() - began) * 1000
            billed = math.ceil(cpu * ASSUMED["cpu_factor"] + self._here.requests * ASSUMED["request_ms"])
            records = invocation.event.get("Records") if isinstance(invocation.event, dict) else None
            with self._lock:
                self.functions[invocation.function.removeprefix("orders-")] += 1
                self.trips[invocation.function.removeprefix("orders-")] = self._here.requests
                self.units["invocations"] += 1
                self.units["billed_ms"] += billed
                if records and "messageId" in records[0]:
                    # One receives, one deletes; what puts them there is counted with the event.
                    self.units["queue_requests"] += 2 * math.ceil(len(records) / 10)
            self._here.requests = None

    def logged(self, _: str, text: str) -> None:
        with self._lock:
            self.units["log_bytes"] += len(text.encode()) + 26 * text.count("\n")  # 26 bytes are added to each line

    def called(self, name: str, parameters: Json, call: Callable[[Json], Json]) -> Json:
        if getattr(self._here, "requests", None) is None:  # the harness's own
            return call(parameters)
        self._here.requests += 1
        on_table = name in ITEM_CALLS
        answer = call({**parameters, "ReturnConsumedCapacity": "INDEXES"} if on_table else parameters)
        with self._lock:
            if on_table and not any(mark in json.dumps(parameters, default=str) for mark in OUTSIDE):
                self.requests[name] += 1
                self._add_capacity(answer)
            elif name == "PutEvents":
                self.units["events"] += len(parameters["Entries"])
            elif name == "Publish":
                self.units["notices"] += 1
            elif name == "SendMessage":
                self.units["queue_requests"] += 1
        return answer

    def _add_capacity(self, answer: Json) -> None:
        consumed = answer.pop("ConsumedCapacity", [])
        for table in consumed if isinstance(consumed, list) else [consumed]:
            own = table.get("Table", {})
            indexes = [*table.get("GlobalSecondaryIndexes", {}).values()]
            if "WriteCapacityUnits" in table or "WriteCapacityUnits" in own:
                written = table.get("WriteCapacityUnits", own.get("WriteCapacityUnits", 0))
                self.units["table_write_units"] += written
                self.units["index_write_units"] += sum(index.get("CapacityUnits", 0) for index in indexes)
            else:
                self.units["read_units"] += table["CapacityUnits"]


@dataclass(frozen=True)
class Bill:
    """One path: units and dollars per order."""

    path: str
    units: Mapping[str, float]
    requests: Mapping[str, float]
    functions: Mapping[str, float]

    def dollars_per_million(self) -> dict[str, float]:
        """By item, the dearest first."""
        amounts = {
            **{name: self.units.get(name, 0) for name in PRICES["dollars"]},
            "write_units": self.units["table_write_units"] + self.units["index_write_units"],
            "gb_seconds": self.units["billed_ms"] / 1000 * ASSUMED["memory_gb"],
            "traces": self.units["invocations"] * ASSUMED["sampled"],
        }
        priced = {
            name: amount * 1e6 / told["per"] * told["price"]
            for name, told in PRICES["dollars"].items()
            if (amount := amounts[name])
        }
        return dict(sorted(priced.items(), key=lambda item: -item[1]))


@contextmanager
def _counting(count: Count, stack: Stack) -> Iterator[None]:
    client: Any = BaseClient
    original, token = client._make_api_call, callbacks.new_token  # noqa: SLF001 - every call passes there

    def call(this: Any, name: str, parameters: Json) -> Json:
        return count.called(name, parameters, lambda sent: original(this, name, sent))

    def long_token(execution_arn: str) -> str:
        return token(f"{execution_arn}\n{'x' * (int(ASSUMED['task_token_bytes']) * 3 // 4 - len(execution_arn) - 38)}")

    client._make_api_call, callbacks.new_token = call, long_token  # noqa: SLF001
    stack.lambdas.wrappers.append(count.invoked)
    stack.lambdas.listeners.append(count.logged)
    try:
        yield
    finally:
        client._make_api_call, callbacks.new_token = original, token  # noqa: SLF001
        stack.lambdas.wrappers.remove(count.invoked)
        stack.lambdas.listeners.remove(count.logged)


def measure() -> list[Bill]:
    """The paths, each with some orders at once, so that batches are as small as on a quiet day. The first is production's."""
    with running(Settings(parameters=PRODUCTION)) as stack:
        api = Api(stack.url, stack.token("ada"))
        _path(stack, api, "warm", "tok_ok")
        delivered = _path(stack, api, "happy, no waits", "tok_ok")
    with running(Settings(parameters=PATIENT)) as stack:
        api = Api(stack.url, stack.token("ada"))
        _path(stack, api, "warm", "tok_ok", after="PENDING", then="cancel")
        cancelled = _path(stack, api, "cancelled", "tok_ok", after="PENDING", then="cancel")
    with running(Settings(parameters=WAITS)) as stack:
        api = Api(stack.url, stack.token("ada"))
        _path(stack, api, "warm", "tok_ok")
        return [
            delivered,
            _path(stack, api, "happy", "tok_ok"),
            _path(stack, api, "declined", "tok_declined"),
            cancelled,
            _path(stack, api, "returned", "tok_ok", after="DELIVERED", then="return"),
        ]


def round_trips() -> tuple[int, int]:
    """How often AWS is called for one ``POST /orders``, and for one ``GET`` of its status, once the functions are warm."""
    with running(Settings()) as stack:
        api, count = Api(stack.url, stack.token("ada")), Count()
        api.call("POST", "/orders", wish("warm"))
        api.call("GET", "/orders/warm/status")
        with _counting(count, stack):
            api.call("POST", "/orders", wish("counted"))
            api.call("GET", "/orders/counted/status")
        return count.trips["place-order"], count.trips["watch-status"]


def _path(stack: Stack, api: Api, path: str, token: str, after: str = "", then: str = "") -> Bill:
    wait_until(stack.settled, 60)
    desk = Api(stack.url, stack.token("sue", ["support"]))
    count, ids = Count(), [f"{path.partition(',')[0]}-{number}" for number in range(AT_ONCE)]
    known = set(internals.part("stepfunctions", "_executions"))
    with _counting(count, stack):
        for order_id in ids:
            api.call("POST", "/orders", wish(order_id, token))
        count.units["api_requests"] += AT_ONCE
        if then:
            for order_id in ids:
                wait_until(lambda order_id=order_id: _reached(order_id, after), 30)
                desk.call("POST", f"/orders/{order_id}/{then}", {})
            count.units["api_requests"] += AT_ONCE
        wait_until(stack.settled, 60)
    executions = internals.part("stepfunctions", "_executions")
    histories = [executions[arn]["events"] for arn in set(executions) - known]
    count.units["transitions"] = sum(map(_transitions, histories))
    count.units["log_bytes"] += int(ASSUMED["access_log_bytes"]) * count.units["api_requests"]
    count.units["log_bytes"] += int(ASSUMED["report_log_bytes"]) * count.units["invocations"]
    # Each change of a status goes to two queues, each other event to one.
    count.units["queue_requests"] += count.units["events"] + count.units["notices"]
    return Bill(
        path,
        *({name: value / AT_ONCE for name, value in part.items()} for part in (count.units, count.requests, count.functions)),
    )


def _reached(order_id: str, status: str) -> bool:
    (table,) = internals.part("dynamodb", "_tables").values()
    item = table["items"][f"ORDER#{order_id}"]["#ORDER"]
    return bool(item["status"]["S"] == status and int(item["version"]["N"]) > 1)


def _transitions(history: Any) -> int:
    kinds = [event["type"] for event in history]
    entered: int = sum(kind.endswith("StateEntered") for kind in kinds)
    retries: int = kinds.count("TaskScheduled") - kinds.count("TaskStateEntered")
    return 1 + entered + retries


if __name__ == "__main__":
    for bill in measure():
        priced = bill.dollars_per_million()
        print(bill.path, f"${sum(priced.values()):.0f}", {name: round(value, 2) for name, value in priced.items()})
        print("   ", {name: round(value, 2) for name, value in bill.units.items()}, dict(bill.requests), dict(bill.functions))
