"""One storm: many mixed orders while everything fails, then calm, then the books."""

import itertools
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import httpx

from orders.adapters.store import keys
from orders.domain import analytics, notifications
from orders.domain.events import SYSTEM
from orders.domain.order import Event
from tests.chaos.faults import published
from tests.harness.bodies import a_body
from tests.harness.books import Account, Books, rows_of
from tests.harness.stacks import ROOT, Deployment

Json = Any

STOCKED = {"mug": 100_000, "scarce": 9}
WORKERS = 8


@dataclass
class Report:
    """What a storm came to."""

    seed: int
    orders: int
    errors: list[str]
    statuses: Counter[str]
    faults: Counter[str]
    kills: int
    seconds: float
    events: int = 0
    told_again: int = 0


@dataclass
class Chaotic:
    """A stack with faults; killed and started again it is another process on the same data."""

    seed: int
    rate: float
    folder: Path
    faults: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    _process: subprocess.Popen[str] | None = None
    _deployments: list[Deployment] = field(default_factory=list)
    """One of each of its lives: whoever asks one that is gone meets a broken connection, and no closed client."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        for deployment in self._deployments:
            deployment.close()

    def start(self) -> None:
        options = {"data": str(self.folder), "seed": self.seed * 1000 + self.kills, "rate": self.rate}
        command = [sys.executable, "-m", "tests.chaos.server", json.dumps(options)]
        with (self.folder / "stack.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.told = json.loads(self._line())
        names = {"TableName": self.told["table"], "BusName": self.told["bus"]}
        deployment = Deployment(self.told["url"], lambda _, __: "", self.told["aws_url"], names)
        # Made here, once: several threads are to use them.
        _ = deployment.http, deployment.aws("events")
        self._deployments.append(deployment)

    @property
    def http(self) -> httpx.Client:
        return self.deployment().http

    def ask(self, command: str) -> Json:
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return json.loads(self._line())

    def _line(self) -> str:
        assert self._process
        assert self._process.stdout
        return self._process.stdout.readline()

    def kill(self) -> None:
        """SIGKILL, in the middle of everything."""
        self.faults.update(self.ask("told"))
        self._end()
        self.kills += 1

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        with self._process:  # closes the pipes and waits for its end
            self._process = None

    def deployment(self) -> Deployment:
        """The stack as it was started last."""
        return self._deployments[-1]


class Crowd:
    """Customers, support and the warehouse: what each does with an order follows from the seed and the order's number."""

    def __init__(self, stack: Chaotic, orders: int) -> None:
        self._stack = stack
        self._numbers = itertools.count()
        self._orders = orders
        self._up = threading.Event()
        self._up.set()
        self._gone = False
        self.placed: dict[str, str] = {}
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """They go home: nobody calls any more."""
        self._gone = True
        self._up.set()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody calls while the stack is down; who was calling calls again."""
        self._up.clear()
        try:
            yield
        finally:
            self._up.set()

    def live(self) -> None:
        with ThreadPoolExecutor(WORKERS) as pool:
            for worker in [pool.submit(self._work) for _ in range(WORKERS)]:
                worker.result()

    def _work(self) -> None:
        for number in self._numbers:
            if number >= self._orders or self._gone:
                return
            dice = random.Random(f"{self._stack.seed}:order:{number}")  # noqa: S311 - chance, to be had again
            self._one(f"c{self._stack.seed}-{number}", dice)
            if dice.random() < 0.25:
                self._send_back(f"/orders/c{self._stack.seed}-{number // 2}", dice)

    def _one(self, order_id: str, dice: random.Random) -> None:
        method = dice.choices(["CREDIT_CARD", "CASH_ON_DELIVERY"], [6, 1])[0]
        tokens = ["tok_ok", "tok_declined", "tok_flaky_2", "tok_timeout_1", "tok_timeout_3"]
        wish = a_body(
            items=[
                {"product_id": product, "quantity": dice.randint(1, 3)}
                for product in dice.choices([("mug",), ("mug", "scarce")], [2, 1])[0]
            ],
            shortage=dice.choice(["cancel", "drop", "ask"]),
            method=method,
            order_id=order_id,
            require_approval=dice.random() < 0.08,
            postal_code=dice.choices(["SW1Y 4JH", "refused", "flaky_2", "timeout_1"], [12, 1, 1, 1])[0],
            **({"token": dice.choices(tokens, [8, 1, 1, 1, 1])[0]} if method == "CREDIT_CARD" else {}),
        )
        answer = self._call("ada", "POST", "/orders", wish, key=f"key-{order_id}")
        if answer.status_code != 202:
            self.errors.append(f"{order_id}: {answer.status_code} {answer.text[:200]}")
            return
        self.placed[order_id] = order_id
        if wish["require_approval"]:
            self._call("sue", "POST", f"/orders/{order_id}/{dice.choice(['approve', 'reject'])}", {})
        if wish["shortage"] == "ask" and dice.random() < 0.5:
            self._amend(order_id)
        elif dice.random() < 0.25:
            self._meddle(order_id, dice)

    def _amend(self, order_id: str) -> None:
        """Takes what is there, if the order turns out to be short before its customer loses patience."""
        for _ in range(20):
            if self._call("ada", "POST", f"/orders/{order_id}/amend", {}).status_code != HTTPStatus.CONFLICT:
                return
            time.sleep(0.05)

    def _meddle(self, order_id: str, dice: random.Random) -> None:
        path = f"/orders/{order_id}"
        what = dice.choice(["cancel", "return", "address", "delivered", "ship", "sync", "warehouse"])
        if what == "address":
            home = {"name": "Ada", "line1": "1 Ockham Park", "city": "Ockham", "postal_code": "GU23 6NQ", "country": "GB"}
            self._call("ada", "PUT", f"{path}/address", home)
        elif what == "ship":
            self._call("sue", "PATCH", f"{path}/status", {"status": dice.choice(["PROCESSING", "SHIPPED", "CANCELLED"])})
        elif what == "warehouse":
            self._warehouse(order_id, dice)
        else:
            who = "ada" if what == "cancel" else "sue"
            for _ in range(dice.randint(1, 2)):
                self._call(who, "POST", f"{path}/{what}", {})

    def _send_back(self, path: str, dice: random.Random) -> None:
        """A piece of an order that may have been delivered by now, in either condition; of two receipts one is refused."""
        asked = self._call("ada", "POST", f"{path}/returns", {"items": [{"line_id": "1", "quantity": 1}]}, key=f"back-{path}")
        if asked.status_code != HTTPStatus.OK:
            return
        back = f"{path}/returns/{asked.json()['returns'][-1]['return_id']}"
        self._call("sue", "POST", f"{back}/approve", {})
        came = {"line_id": "1", "quantity": 1, "condition": dice.choice(["resellable", "damaged"])}
        for _ in range(dice.randint(1, 2)):
            self._call("sue", "POST", f"{back}/receive", {"items": [came]})

    def _warehouse(self, order_id: str, dice: random.Random) -> None:
        """Its events in any order, some of them twice."""
        news = dice.sample(["picking", "packed", "shipped", "completed", "cancelled"], 3)
        for status in [*news, news[0]]:
            detail = {
                "event_type": "fulfillment.status_changed",
                "event_id": f"{order_id}-{status}",
                "fulfillment_id": f"f-{order_id}",
                "order_id": order_id,
                "new_status": status,
                "timestamp": "2026-11-20T12:00:00Z",
            }
            entry = {"EventBusName": self._stack.told["bus"], "Source": "warehouse"}
            try:
                bus = self._stack.deployment().aws("events")
                bus.put_events(Entries=[{**entry, "DetailType": detail["event_type"], "Detail": json.dumps(detail)}])
            except Exception:  # noqa: BLE001 - the stack was killed under it: the warehouse is no part of what is tested
                return

    def _call(self, who: str, method: str, path: str, body: Json, key: str | None = None) -> httpx.Response:
        """As a good client: what went wrong at the other side is tried again, under the same key."""
        deadline = time.monotonic() + 300
        while True:
            self._up.wait()
            headers = {"authorization": f"Bearer {self._stack.told['tokens'][who]}"}
            if key:
                headers["idempotency-key"] = key
            try:
                answer = self._stack.http.request(method, path, json=body, headers=headers)
                if answer.status_code < 500 or time.monotonic() > deadline:
                    return answer
            except httpx.TransportError:
                if self._gone or time.monotonic() > deadline:
                    raise
            self._up.wait()
            time.sleep(0.01)


def storm(seed: int, orders: int, rate: float = 0.15, kills: int = 0) -> Report:
    """So many orders under faults of this seed, the stack killed so many times among them, and what the books say then."""
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="chaos-") as name,
        ThreadPoolExecutor(1) as thread,  # entered first: its worker ends once crowd and stack are gone
        Chaotic(seed, rate, Path(name)) as stack,
        Crowd(stack, orders) as crowd,
    ):
        stack.start()
        _stock(stack)
        stack.ask("rage")
        living = thread.submit(crowd.live)
        for kill in range(kills):
            _wait_for(crowd, orders * (kill + 1) // (kills + 1), living)
            with crowd.away():
                stack.kill()
                stack.start()
                stack.ask("rage")
        living.result()
        stack.faults.update(stack.ask("calm"))
        stuck = stack.ask("rest")
        report = _reconciled(stack, crowd, stuck)
        stack.kill()
        stack.kills -= 1
        report.errors.extend(_crashes(stack.folder))
    report.kills, report.seconds, report.orders = kills, time.monotonic() - began, orders
    return report


def _stock(stack: Chaotic) -> None:
    for product, count in STOCKED.items():
        body = {"name": product, "unit_price": {"amount": 1000, "currency": "USD"}, "stock": count}
        headers = {"authorization": f"Bearer {stack.told['tokens']['ann']}"}
        stack.http.put(f"/products/{product}", json=body, headers=headers).raise_for_status()


def _wait_for(crowd: Crowd, count: int, living: Future[None]) -> None:
    while not living.done() and len(crowd.placed) < count:
        time.sleep(0.01)


def _crashes(folder: Path) -> list[str]:
    """What only a mistake of the stack's own writes."""
    text = (folder / "stack.log").read_text(encoding="utf-8", errors="replace")
    return [line for line in text.splitlines() if "Task exception was never retrieved" in line]


# --- the books ---


def _reconciled(stack: Chaotic, crowd: Crowd, stuck: list[str]) -> Report:
    deployment = stack.deployment()
    books = Books.of(deployment)
    told = published(stack.folder)
    _forgive(books)
    errors = [*crowd.errors, *(f"stuck: {found}" for found in stuck[:20]), *books.errors(STOCKED)]
    errors += [f"{order_id} was acknowledged and is lost" for order_id in crowd.placed.keys() - books.accounts.keys()]
    errors += _publishing_errors(books.accounts, told)
    errors += _counting_errors(deployment, books.accounts, everything=stack.kills == 0)
    statuses = Counter(account.order.status.value for account in books.accounts.values())
    again = len(told) - len({detail["event_id"] for detail in told})
    return Report(stack.seed, len(crowd.placed), errors, statuses, stack.faults, 0, 0.0, len(told), again)


def _forgive(books: Books) -> None:
    """A parcel that the warehouse reported as shipped before our carrier had answered is the warehouse's, not our carrier's."""
    for account in books.accounts.values():
        shipped = next((event for event in account.trail if event.type.value == "ORDER_SHIPPED"), None)
        if shipped and shipped.by != SYSTEM and account.shipment:
            account.shipment = replace(account.shipment, carrier="warehouse")


def _publishing_errors(accounts: Mapping[str, Account], told: list[Json]) -> Iterator[str]:
    """Each event of each trail was published at least once, and nothing else was; in which order is nobody's promise."""
    wanted = {
        detail["event_id"]: detail
        for account in accounts.values()
        for event in account.trail
        for _, detail, _ in notifications.messages(event)
    }
    heard = {detail["event_id"] for detail in told}
    for event_id in wanted.keys() - heard:
        yield f"never published: {wanted[event_id]['order_id']} {wanted[event_id]['event_type']}"
    for event_id in heard - wanted.keys():
        yield f"published, and on no trail: {event_id}"


def _counting_errors(deployment: Deployment, accounts: Mapping[str, Account], *, everything: bool) -> Iterator[str]:
    """The counters are the sum of the events that are marked as counted; without a kill each one is."""
    marked, counters = _counted(deployment)
    sums: Counter[str] = Counter()
    for account in accounts.values():
        for event in account.trail:
            for event_id, added in _countable(event):
                if event_id in marked:
                    sums.update(added)
                elif everything:
                    yield f"never counted: {event.order_id} version {event.version}"
    wrong = {name for name in sums.keys() | counters.keys() if sums[name] != counters[name]}
    for name in sorted(wrong):
        yield f"the counter {name} is {counters[name]}, the trails make {sums[name]}"


def _countable(event: Event) -> Iterator[tuple[str, Counter[str]]]:
    for _, detail, _ in notifications.messages(event):
        as_sent = json.loads(json.dumps(detail))
        if one := analytics.counted_event(as_sent):
            yield one.event_id, one.counters


def _counted(deployment: Deployment) -> tuple[set[str], Counter[str]]:
    marked: set[str] = set()
    counters: Counter[str] = Counter()
    for item in rows_of(deployment, "Scan"):
        if item["PK"]["S"] == "STATISTICS":
            counters.update({name: int(value["N"]) for name, value in item.items() if name not in ("PK", "SK")})
        elif item["SK"]["S"].startswith(keys.EVENT_PREFIX):
            marked.update(item.get("counted", {}).get("SS", []))
    return marked, counters
