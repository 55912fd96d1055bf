"""The local stack in a process of its own, told over its standard input what is to be measured.

Each command is a line of JSON, and so is each answer; the first line of all is where the stack is and who may use it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from local.engine import internals
from local.lambda_runtime.lambdas import Call, Invocation
from local.ports.listening import run
from local.stack.settings import Settings
from local.stack.stack import Stack

NO_WAITS = {"PaymentWaitSeconds": "0", "PreparationWaitSeconds": "0", "DeliveryWaitSeconds": "0"}
# These gather for seconds before they begin, on purpose: nobody waits for them.
GATHERING = {"orders-keep-statistics", "orders-fan-out-webhooks"}


class Watch:
    """What ran, and when the last of it ended."""

    def __init__(self) -> None:
        self.invocations: Counter[str] = Counter()
        self.last = 0.0

    def __call__(self, invocation: Invocation, call: Call) -> Any:
        try:
            return call(invocation)
        finally:
            self.invocations[invocation.function] += 1
            if invocation.function not in GATHERING:
                self.last = time.time()


async def _told(reader: asyncio.StreamReader, stack: Stack, watch: Watch) -> None:
    while line := await reader.readline():
        command, *rest = json.loads(line)
        answer = await _answer(command, rest, stack, watch)
        print(json.dumps(answer), file=sys.__stdout__, flush=True)
        if command == "stop":
            return


async def _answer(command: str, rest: list[Any], stack: Stack, watch: Watch) -> Any:
    if command == "settle":
        # Seldom, and only when it has grown quiet: a measurement must not cost what it measures.
        while time.time() - watch.last < 0.3 or not stack.settled():
            await asyncio.sleep(0.1)
        return _figures(watch)
    if command == "figures":
        return _figures(watch)
    if command == "orders":
        return _orders(rest[0])
    if command == "collect":
        gc.collect()
    return None


def _figures(watch: Watch) -> dict[str, Any]:
    times = os.times()
    return {
        "cpu": times.user + times.system,
        "last": watch.last,
        "invocations": dict(watch.invocations),
        "running": sum(
            record["status"] == "RUNNING" for record in list(internals.part("stepfunctions", "_executions").values())
        ),
    }


def _orders(prefix: str) -> dict[str, Any]:
    """How each order whose id begins so stands, and since when."""
    (table,) = internals.part("dynamodb", "_tables").values()
    found = {}
    with internals.LOCK:
        for partition, items in table["items"].items():
            order_id = partition.removeprefix("ORDER#")
            if partition.startswith("ORDER#") and order_id.startswith(prefix) and "#ORDER" in items:
                item = items["#ORDER"]
                found[order_id] = [item["status"]["S"], item["updated_at"]["S"], int(item["version"]["N"])]
    return found


async def main(options: dict[str, Any]) -> None:
    parameters = NO_WAITS | {"ReviewThreshold": "999999999"} | options.get("parameters", {})
    data = options.get("data")
    stack = Stack(Settings(parameters=parameters, data=Path(data) if data else None))
    await stack.start()
    watch = Watch()
    stack.lambdas.wrappers.append(watch)
    people = {
        "customer": stack.token("ada"),
        "support": stack.token("grace", ["support"]),
        "admin": stack.token("root", ["admin"]),
    }
    print(json.dumps({"url": stack.url, "pid": os.getpid(), **people}), file=sys.__stdout__, flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await _told(reader, stack, watch)
    await stack.stop()


if __name__ == "__main__":
    run(main(json.loads(sys.argv[1])))
    sys.stdout.flush()
    os._exit(0)
