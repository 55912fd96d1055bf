"""Steady load for as long as somebody wants to watch: rate, latency, memory, and what is left open at the end."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.client import Answer, Connection, quantile
from bench.pipeline import Running, stack, wish

TOKENS = ("tok_ok",) * 8 + ("tok_declined", "tok_flaky_1")
WAITS = {"PaymentWaitSeconds": "1", "PreparationWaitSeconds": "1", "DeliveryWaitSeconds": "1"}


@dataclass
class Minute:
    """What one stretch of time came to."""

    placed: int
    refused: int
    post_p50: float
    post_p99: float
    memory: float
    open: int


@dataclass
class Load:
    rate: float
    minutes: float
    stretches: list[Minute] = field(default_factory=list)
    placed: int = 0
    late: int = 0
    stuck: int = 0
    wrong: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    peak: float = 0.0


def load(rate: float, minutes: float, show: Callable[[str], None] = lambda _: None, every: float = 10.0) -> Load:
    """Places orders at a steady rate, whether or not the stack keeps up, then lets it come to rest."""
    done = Load(rate, minutes)
    with stack(parameters=WAITS) as running:
        asyncio.run(_place(running, done, show, every))
        running.ask("settle")
        ended = running.ask("orders", "load-")
        done.statuses = Counter(status for status, _, _ in ended.values())
        done.stuck = sum(status not in ("DELIVERED", "CANCELLED") for status, _, _ in ended.values())
        done.wrong = done.placed - len(ended)
        done.peak = running.memory.peak
    return done


async def _place(running: Running, done: Load, show: Callable[[str], None], every: float) -> None:
    idle: list[Connection] = []
    answers: list[Answer] = []
    under_way: set[asyncio.Task[None]] = set()
    began = shown = time.monotonic()
    number = 0
    while (now := time.monotonic()) - began < done.minutes * 60:
        due = began + number / done.rate
        if due > now:
            await asyncio.sleep(due - now)
        done.late += now - due > 0.1
        task = asyncio.ensure_future(_one(running, number, idle, answers))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        number += 1
        if time.monotonic() - shown >= every:
            shown = time.monotonic()
            done.stretches.append(await asyncio.to_thread(_stretch, running, answers))
            show(_line(done, shown - began))
            answers.clear()
    await asyncio.gather(*under_way)
    done.placed = number
    for connection in idle:
        connection.close()


async def _one(running: Running, number: int, idle: list[Connection], answers: list[Answer]) -> None:
    connection = idle.pop() if idle else Connection(running.url)
    body = wish(f"load-{number}", TOKENS[number % len(TOKENS)])
    answers.append(await connection.call("POST", "/orders", running.tokens["customer"], body))
    idle.append(connection)


def _stretch(running: Running, answers: list[Answer]) -> Minute:
    taken = [answer.seconds * 1000 for answer in answers] or [0.0]
    refused = sum(answer.status != 202 for answer in answers)
    still_open = running.ask("figures")["running"]
    return Minute(len(answers), refused, statistics.median(taken), quantile(taken, 0.99), running.memory.now(), still_open)


def _line(done: Load, seconds: float) -> str:
    last = done.stretches[-1]
    share = min(1.0, seconds / (done.minutes * 60))
    bar = "█" * round(share * 20) + "░" * (20 - round(share * 20))
    return (
        f"{bar} {seconds / 60:5.1f} min  {last.placed:5d} placed  {last.refused:3d} refused  "
        f"POST p50 {last.post_p50:6.1f} p99 {last.post_p99:6.1f} ms  {last.memory:5.0f} MB  {last.open:5d} running"
    )


def run(rate: float, minutes: float) -> int:
    """The command: shows what goes on, and says at the end whether everything came to its end."""

    def show(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    done = load(rate, minutes, show)
    first, last = done.stretches[0], done.stretches[-1]
    show(f"{done.placed} orders, {dict(done.statuses)}, {done.stuck} stuck, {done.wrong} lost, {done.late} sent late")
    show(
        f"POST p50 {first.post_p50:.1f} ms at the start, {last.post_p50:.1f} ms at the end; {first.memory:.0f} MB, {last.memory:.0f} MB"
    )
    return 1 if done.stuck or done.wrong else 0


if __name__ == "__main__":
    sys.exit(run(float(sys.argv[1]), float(sys.argv[2])))
