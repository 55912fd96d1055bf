"""What one person notices: how soon the stack is there and gone again, each answer on an idle one, how soon a watcher sees a
change, and how soon the tracking page is painted. Figures, with a target each in the report; no test depends on them.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from bench import pipeline
from bench.client import Connection
from bench.pipeline import ROOT, Running, wish

READS = 100
PAINTED = 5
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WATCHED = {"PaymentWaitSeconds": "2.6", "PreparationWaitSeconds": "3.1", "DeliveryWaitSeconds": "2.3"}
PACKING = {"PreparationWaitSeconds": "3600"}
FIRST_PAINT = """new Promise((done) => new PerformanceObserver((list) => {
    for (const entry of list.getEntriesByName("first-contentful-paint")) done(entry.startTime);
}).observe({ type: "paint", buffered: true }))"""


@dataclass(frozen=True)
class Standing:
    """Each list holds one value per observation."""

    ready_seconds: float
    idle_mb: float
    gone_seconds: float
    answers_ms: Mapping[str, float]
    """The median of each request, one after the other on an idle stack."""
    seen_seconds: list[float]
    """For each change a watcher was told: what lay between its commit and its arrival."""
    painted_ms: list[float]
    """First contentful paint of the tracking page; empty where there is no Chromium."""


def measure(watchers: int = 200) -> Standing:
    ready, idle, gone = _process()
    with pipeline.stack() as running:
        pipeline.flood(running, 20, "warm")
        answers = asyncio.run(_answers(running))
    with pipeline.stack(parameters=WATCHED) as running:
        seen = asyncio.run(_watched(running, watchers))
    with pipeline.stack(parameters=PACKING) as running:
        painted = _painted(running)
    return Standing(ready, idle, gone, answers, seen, painted)


def _process() -> tuple[float, float, float]:
    """The command people type: seconds until it is ready, MB when idle, seconds from Ctrl-C to its end."""
    began = time.monotonic()
    command = [sys.executable, "-m", "local.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            if "ready\n" not in iter(process.stdout.readline, ""):
                raise RuntimeError("the stack did not come up")
            ready = time.monotonic() - began
            resident = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text(encoding="ascii"))
            asked = time.monotonic()
            process.send_signal(signal.SIGINT)
            process.wait(60)
            return ready, int(resident[1]) / 1024 if resident else 0.0, time.monotonic() - asked
        finally:
            process.kill()


async def _answers(running: Running) -> dict[str, float]:
    customer = running.tokens["customer"]
    connection = Connection(running.url)
    await connection.call("POST", "/orders", customer, wish("read"))

    async def median(method: str, path: str, placing: bool = False) -> float:
        taken = []
        for number in range(READS):
            body = wish(f"placed-{number}") if placing else None
            taken.append((await connection.call(method, path, customer, body)).seconds * 1000)
        return statistics.median(taken)

    found = {
        "`GET /orders/{id}`": await median("GET", "/orders/read"),
        "`GET /orders/{id}/status`": await median("GET", "/orders/read/status"),
        "`GET /orders?limit=20`": await median("GET", "/orders?limit=20"),
        "`POST /orders`": await median("POST", "/orders", placing=True),
    }
    connection.close()
    return found


async def _watched(running: Running, watchers: int) -> list[float]:
    placing = Connection(running.url)
    watching = []
    for number in range(watchers):
        await placing.call("POST", "/orders", running.tokens["customer"], wish(f"watched-{number}"))
        watching.append(asyncio.create_task(_watch(running, f"watched-{number}")))
    placing.close()
    return [seconds for seen in await asyncio.gather(*watching) for seconds in seen]


async def _watch(running: Running, order_id: str) -> list[float]:
    """As an ``EventSource`` does: comes back after each answer for what it has not seen, until the order is over."""
    connection, last, seen = Connection(running.url), "", list[float]()
    while True:
        headers = {"last-event-id": last} if last else {}
        path = f"/orders/{order_id}/status/stream"
        answer = await connection.call("GET", path, running.tokens["customer"], headers=headers)
        arrived = time.time()
        if answer.status == 204:
            connection.close()
            return seen
        retry = 1.0
        for block in filter(None, answer.body.decode().split("\n\n")):
            frame = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            retry = int(frame.get("retry", retry * 1000)) / 1000
            if "data" in frame:
                if last:
                    seen.append(arrived - datetime.fromisoformat(json.loads(frame["data"])["timestamp"]).timestamp())
                last = frame["id"]
        await asyncio.sleep(retry)


def _painted(running: Running) -> list[float]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        return []

    async def place() -> str:
        connection = Connection(running.url)
        placed = await connection.call("POST", "/orders", running.tokens["customer"], wish("painted"))
        connection.close()
        return f"{running.url}{placed.json()['tracking_url']}"

    url = asyncio.run(place())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", "--no-first-run"])
        found = [_paint(browser, url) for _ in range(PAINTED)]
        browser.close()
    return found


def _paint(browser: Browser, url: str) -> float:
    """Milliseconds, in a tab that keeps nothing."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url)
    milliseconds = float(page.evaluate(FIRST_PAINT))
    context.close()
    return milliseconds
