"""The product's own pipeline under load: every order from its POST to its last notification."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.client import Connection, Request, quantile, send_all
from local.cli.serving import EXAMPLE

ROOT = Path(__file__).resolve().parent.parent
OVER = {"DELIVERED", "CANCELLED", "RETURNED"}


def wish(order_id: str, token: str = "tok_ok", **more: Any) -> dict[str, Any]:  # noqa: S107 - a card's token, made up
    """The order everybody is measured with: two products, paid by card."""
    return {"order_id": order_id, **EXAMPLE, "payment": {"method": "CREDIT_CARD", "token": token}} | more


@dataclass
class Running:
    """A stack in its own process, and what it says of itself."""

    process: subprocess.Popen[str]
    url: str
    pid: int
    tokens: Mapping[str, str]
    memory: Memory = field(init=False)

    def __post_init__(self) -> None:
        self.memory = Memory(self.pid)

    def ask(self, *command: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


class Memory:
    """The highest proportional set size a process had, looked at now and then."""

    def __init__(self, pid: int) -> None:
        self._file = Path(f"/proc/{pid}/smaps_rollup")
        self._over = threading.Event()
        self.peak = 0.0
        threading.Thread(target=self._look, daemon=True).start()

    def now(self) -> float:
        """In megabytes; 0 where the system does not tell."""
        try:
            lines = self._file.read_text(encoding="ascii").splitlines()
        except OSError:
            return 0.0
        return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)

    def _look(self) -> None:
        while not self._over.wait(0.25):
            self.peak = max(self.peak, self.now())

    def close(self) -> None:
        self._over.set()


@contextmanager
def stack(**options: Any) -> Iterator[Running]:
    """A stack with no waits, unless its parameters say otherwise."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.server", json.dumps(options)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        ready = json.loads(process.stdout.readline())
        tokens = {name: ready[name] for name in ("customer", "support", "admin")}
        running = Running(process, ready["url"], ready["pid"], tokens)
        yield running
        running.memory.close()
    finally:
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()


@dataclass(frozen=True)
class Flood:
    """What so many orders at once came to."""

    orders: int
    per_second: float
    placed_per_second: float
    latency_p50: float
    latency_p99: float
    cpu_ms: float
    post_p50_ms: float
    peak_mb: float
    wrong: int
    beyond_waits_ms: float = 0.0


def flood(running: Running, count: int, name: str, waits: float = 0.0, connections: int = 32) -> Flood:
    """Places so many orders at once and waits until the last of them is delivered and told to everybody."""
    before = running.ask("figures")
    requests: Iterator[Request] = (
        ("POST", "/orders", running.tokens["customer"], wish(f"{name}-{number}")) for number in range(count)
    )
    began = time.time()
    answers = asyncio.run(send_all(running.url, requests, connections))
    placed = time.time() - began
    after = running.ask("settle")
    ended = running.ask("orders", f"{name}-")
    sent = {f"{name}-{number}": answer.sent_at for number, answer in enumerate(answers)}
    latencies = [_epoch(at) - sent[order_id] for order_id, (_, at, _) in ended.items()]
    return Flood(
        orders=count,
        per_second=count / (after["last"] - began),
        placed_per_second=count / placed,
        latency_p50=statistics.median(latencies),
        latency_p99=quantile(latencies, 0.99),
        cpu_ms=(after["cpu"] - before["cpu"]) * 1000 / count,
        post_p50_ms=statistics.median(answer.seconds for answer in answers) * 1000,
        peak_mb=running.memory.peak,
        wrong=count - sum(status == "DELIVERED" for status, _, _ in ended.values()),
        beyond_waits_ms=(max(latencies) - waits) * 1000,
    )


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def one_by_one(running: Running, count: int, name: str) -> list[float]:
    """Milliseconds from POST to DELIVERED of single orders on an idle stack."""

    async def run() -> list[float]:
        connection = Connection(running.url)
        taken = []
        for number in range(count):
            order_id = f"{name}-{number}"
            placed = await connection.call("POST", "/orders", running.tokens["customer"], wish(order_id))
            found = placed.json()["order"]
            while found["status"] not in OVER:
                answer = await connection.call("GET", f"/orders/{order_id}", running.tokens["customer"])
                found = answer.json()["order"]
            taken.append((_epoch(found["updated_at"]) - placed.sent_at) * 1000)
        connection.close()
        return taken

    return asyncio.run(run())


def status_under_load(running: Running, count: int, name: str) -> list[float]:
    """Milliseconds of each GET of an order's status while so many orders run."""

    async def run() -> list[float]:
        customer = running.tokens["customer"]
        requests: Iterator[Request] = (("POST", "/orders", customer, wish(f"{name}-{n}")) for n in range(count))
        placing = asyncio.ensure_future(send_all(running.url, requests))
        connection = Connection(running.url)
        taken: list[float] = []
        await connection.call("POST", "/orders", customer, wish(f"{name}-watched"))
        path = f"/orders/{name}-watched/status"
        while not placing.done() or await asyncio.to_thread(_running, running):
            for _ in range(20):
                answer = await connection.call("GET", path, customer)
                taken.append(answer.seconds * 1000)
                await asyncio.sleep(0.005)
        await placing
        connection.close()
        return taken

    taken = asyncio.run(run())
    running.ask("settle")
    return taken


def _running(running: Running) -> bool:
    return bool(running.ask("figures")["running"])
