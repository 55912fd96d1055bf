"""The local stack in a process that may be killed, with faults at its seams; told over its standard input what to do."""

import asyncio
import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from local.engine import internals
from local.ports.listening import run
from local.stack.settings import Settings
from local.stack.stack import Stack
from tests.chaos.faults import Faults, hurry

Json = Any


class Watched(Stack):
    """Its seams are taken before the first record is delivered: what an earlier life left behind goes out at the start."""

    def __init__(self, settings: Settings, faults: Faults) -> None:
        super().__init__(settings)
        self._faults = faults

    def _open_tables(self) -> None:
        self._faults.install(self)
        super()._open_tables()


async def _answer(command: str, stack: Stack, faults: Faults) -> Json:
    if command in ("rage", "calm"):
        faults.on = command == "rage"
    if command == "rest":
        return await _rest(stack)
    return dict(faults.happened)


async def _rest(stack: Stack) -> Json:
    """Sweeps until nothing is open any more; answers what still is after a good while."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        await stack.sweep()
        _send_again(stack)
        for _ in range(20):
            await asyncio.sleep(0.05)
            if stack.settled() and not _open(stack) and not _dead_letters(stack):
                return []
    return _open(stack) or ["the queues do not empty"]


def _open(stack: Stack) -> list[str]:
    (table,) = internals.part("dynamodb", "_tables").values()
    with internals.LOCK:
        return [part for part, items in table["items"].items() if "due_at" in items.get("#ORDER", {})]


def _dead_letters(stack: Stack) -> int:
    return sum(
        len(_dead_letter_queue(stack, source)["messages"]) for source in stack.queues if _dead_letter_queue(stack, source)
    )


def _dead_letter_queue(stack: Stack, source: str) -> Json:
    policy = stack.queues[source].queue._queue["attributes"].get("RedrivePolicy")  # type: ignore[attr-defined]
    return internals.part("sqs", "_queue_by_arn")(json.loads(policy)["deadLetterTargetArn"]) if policy else None


def _send_again(stack: Stack) -> None:
    """What an operator does with a dead letter once its cause is gone: back to the queue it came from."""
    for source, feed in stack.queues.items():
        letters = _dead_letter_queue(stack, source)
        if not letters:
            continue
        mine = feed.queue._queue["attributes"]["QueueArn"]  # type: ignore[attr-defined]
        dead = [found for found in letters["messages"] if found["sys"].get("DeadLetterQueueSourceArn") == mine]
        letters["messages"] = [found for found in letters["messages"] if found not in dead]
        for message in dead:
            feed.queue._queue["messages"].append({**message, "receive_count": 0})  # type: ignore[attr-defined]
        feed.pump()


async def main(options: Json) -> None:
    gc.disable()  # as `orders serve` does while it starts
    waits = {
        "PaymentWaitSeconds": "0",
        "PreparationWaitSeconds": "0",
        "DeliveryWaitSeconds": "0",
        "ApprovalTimeoutSeconds": "3",
        "ShortageTimeoutSeconds": "3",
    }
    faults = Faults(options["seed"], options["rate"], Path(options["data"]))
    stack = Watched(Settings(data=Path(options["data"]), parameters=waits, disorder=options["seed"]), faults)
    await stack.start()
    hurry(stack)
    told = {
        "url": stack.url,
        "aws_url": stack.aws_url,
        "table": stack.resources["OrdersTable"],
        "bus": stack.resources["OrdersBus"],
    }
    tokens = {name: stack.token(name, groups) for name, groups in (("ada", []), ("sue", ["support"]), ("ann", ["admin"]))}
    print(json.dumps({**told, "tokens": tokens}), file=sys.__stdout__, flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        answer = await _answer(line.decode().strip(), stack, faults)
        print(json.dumps(answer), file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    run(main(json.loads(sys.argv[1])))
    os._exit(0)
