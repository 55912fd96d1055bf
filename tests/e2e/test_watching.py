"""Watchers of the status stream miss no change, whatever becomes of their connection; ``make bench`` measures how soon."""

import asyncio
import json
import random
import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import FULL
from tests.harness.stacks import PATIENCE, Deployment, deployed, serving

Figure = Callable[[str], None]


@pytest.fixture(scope="module")
def stack() -> Iterator[Deployment]:
    """Orders that take their time, so that there is something to watch."""
    remote = deployed()
    if remote:
        yield remote
        return
    waits = ("--payment-seconds", "1.3", "--preparation-seconds", "1.6", "--delivery-seconds", "1.2")
    with serving(*waits) as served:
        yield served


class Line:
    """One kept connection, as a browser has it; a client library for each of hundreds would take more than the stack."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str, headers: Mapping[str, str], *, give_up: bool = False) -> tuple[int, str]:
        """Status and body; one that gives up asks, and hangs up before it is answered."""
        secure, port = self._url.scheme == "https", self._url.port
        if self._open is None:
            self._open = await asyncio.open_connection(self._url.hostname, port or (443 if secure else 80), ssl=secure or None)
        reader, writer = self._open
        fields = "".join(f"{name}: {value}\r\n" for name, value in {"host": self._url.netloc, **headers}.items())
        writer.write(f"GET {path} HTTP/1.1\r\n{fields}\r\n".encode())
        if give_up:
            await asyncio.sleep(0.002)
            await self.hang_up()
            return 0, ""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = re.search(r"\r\ncontent-length: (\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        return int(head.split()[1]), body.decode()

    async def hang_up(self) -> None:
        if self._open:
            self._open[1].close()
            with suppress(OSError):
                await self._open[1].wait_closed()
        self._open = None


@dataclass
class Watcher:
    """An EventSource, as a browser has one: comes back after each answer for what it has not seen."""

    line: Line
    order_id: str
    token: str
    chance: random.Random
    breaking: bool = False
    """Whether its connection breaks at random: before an answer, or in the middle of one."""
    last: str | None = None
    seen: list[int] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    breaks: int = 0

    async def watch(self) -> None:
        await asyncio.sleep(self.chance.random())
        path = f"/orders/{self.order_id}/status/stream"
        while True:
            headers = {"authorization": f"Bearer {self.token}"} | ({"last-event-id": self.last} if self.last else {})
            breaks = self._happens(0.3)
            self.breaks += breaks
            status, text = await self.line.get(path, headers, give_up=breaks)
            arrived = time.time()
            if status == 204:
                return await self.line.hang_up()
            assert breaks or status == 200, text
            retry = self._take(text, arrived) if text else 0.1
            await asyncio.sleep(retry + (3 * self.chance.random() if self._happens(0.2) else 0))

    def _happens(self, share: float) -> bool:
        return self.breaking and self.chance.random() < share

    def _take(self, text: str, arrived: float) -> float:
        retry = 1.0
        frames = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.split("\n\n") if block]
        cut = self.chance.randrange(len(frames) + 1) if self._happens(0.2) else len(frames)
        for frame in frames[:cut]:  # what comes behind a break has never arrived
            if "retry" in frame:
                retry = int(frame["retry"]) / 1000
            if "data" in frame:
                self._see(int(frame["id"]), json.loads(frame["data"]), arrived)
        return retry

    def _see(self, version: int, data: dict[str, Any], arrived: float) -> None:
        if self.last is not None:
            self.late.append(arrived - datetime.fromisoformat(data["timestamp"]).timestamp())
        self.last = str(version)
        self.seen.append(version)


EACH = 4
"""So many watch one order: connections are what there are many of."""


async def follow(stack: Deployment, count: int, *, breaking: bool) -> list[Watcher]:
    """So many watchers of orders that are placed one after the other, each watched to its end."""
    watchers: list[Watcher] = []
    watching = []
    while len(watchers) < count:
        order_id = await asyncio.to_thread(lambda: stack.ada.place()["order"]["order_id"])
        for number in range(len(watchers), min(len(watchers) + EACH, count)):
            chance = random.Random(number)  # noqa: S311 - the same breaks in every run
            watchers.append(Watcher(Line(stack.url), order_id, stack.ada.token or "", chance, breaking))
            watching.append(asyncio.create_task(watchers[-1].watch()))
    await asyncio.wait_for(asyncio.gather(*watching), 600 * PATIENCE)
    return watchers


@pytest.fixture(scope="module")
def followed(stack: Deployment) -> tuple[list[Watcher], list[Watcher]]:
    """Those whose connections hold, and those whose connections break: all at the same time, as most of it is waiting."""

    async def both() -> tuple[list[Watcher], list[Watcher]]:
        return await asyncio.gather(follow(stack, 200, breaking=False), follow(stack, 100 if FULL else 30, breaking=True))

    return asyncio.run(both())


def nothing_was_missed(stack: Deployment, watchers: list[Watcher]) -> None:
    histories = {order_id: stack.ada.history(order_id) for order_id in {watcher.order_id for watcher in watchers}}
    for watcher in watchers:
        versions = [event["version"] for event in histories[watcher.order_id]]
        # From the status it found, on to the last change: each, once, in order.
        assert watcher.seen == versions[watcher.seen[0] - 1 :], watcher.order_id


def test_two_hundred_watchers_see_each_change_once_and_in_order(
    stack: Deployment, followed: tuple[list[Watcher], list[Watcher]], figure: Figure
) -> None:
    watchers, _ = followed
    assert len(watchers) == 200
    nothing_was_missed(stack, watchers)
    late = sorted(seconds for watcher in watchers for seconds in watcher.late)
    p99 = late[int(len(late) * 0.99)]
    figure(
        f"{len(watchers)} watchers, {len(late)} changes: seen after {statistics.median(late):.2f} s in the median, "
        f"{p99:.2f} s at p99, {late[-1]:.2f} s at most"
    )


def test_one_that_reconnects_at_random_misses_nothing(
    stack: Deployment, followed: tuple[list[Watcher], list[Watcher]], figure: Figure
) -> None:
    _, watchers = followed
    nothing_was_missed(stack, watchers)
    breaks = sum(watcher.breaks for watcher in watchers)
    assert breaks
    figure(f"{len(watchers)} watchers, {breaks} broken connections, {sum(len(w.seen) for w in watchers)} changes, none missed")
