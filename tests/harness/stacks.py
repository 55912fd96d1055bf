"""Running stacks as the black-box tests see them: a URL, somebody who signs tokens, and, on this machine, a look inside."""

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import boto3
import httpx
from botocore.config import Config

from local.stack.stack import Stack
from tests.harness.bodies import ELSEWHERE, HOME, a_body

ROOT = Path(__file__).parents[2]
PATIENCE = float(os.environ.get("E2E_PATIENCE", "1"))
"""Multiplies every deadline: a deployed stack waits longer between its steps than a local one is told to."""

Found = TypeVar("Found")


GATEWAY_MESSAGES = {401: "Unauthorized", 403: "Forbidden", 429: "Too Many Requests", 500: "Internal Server Error"}


def assert_gateway(answer: httpx.Response, status: int) -> None:
    """What API Gateway says for itself, on AWS and here: one member, its own words, never a problem document.

    The words of 413 stand in no document of AWS's.
    """
    assert answer.status_code == status, answer.text
    assert answer.headers.get("content-type", "application/json").startswith("application/json")
    said = answer.json()
    assert set(said) == {"message"}
    assert said["message"] == GATEWAY_MESSAGES.get(status, said["message"])


def printed_until_ready(process: subprocess.Popen[str], log: Path | None = None) -> str:
    """What a stack prints of itself up to the line that says it is ready; ``log`` is where its errors go."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line == "ready\n":
            return "".join(lines)
    raise AssertionError(f"it never got ready: {lines} {log.read_text() if log else ''}")


class TooLate(AssertionError):
    """It did not come about before its deadline."""


def until(look: Callable[[], Found | None], seconds: float = 120, what: str = "it") -> Found:
    """The first truthy thing that ``look`` finds, asked for again and again.

    The limit is for what will never come about: a machine with other work on it may take many times its usual time.
    """
    deadline, pause = time.monotonic() + seconds * PATIENCE, 0.01
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TooLate(f"{what} did not come about in {seconds * PATIENCE:g} s; last seen: {found!r}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return found


@dataclass(frozen=True)
class Api:
    """The API as one caller has it."""

    http: httpx.Client
    token: str | None = None
    subject: str = ""

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One request; header names are written with underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            sent.setdefault("authorization", f"Bearer {self.token}")
        return self.http.request(method, path, json=body, headers=sent)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.call("GET", path, None, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return self.call("POST", path, {} if body is None else body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.call("PUT", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.call("PATCH", path, body, **headers)

    # --- what tests ask for most ---

    def place(self, **changes: Any) -> dict[str, Any]:
        """An order that was taken, as it was answered."""
        answer = self.post("/orders", a_body(**changes))
        assert answer.status_code == 202, answer.text
        placed: dict[str, Any] = answer.json()
        return placed

    def order(self, order_id: str) -> dict[str, Any]:
        """An order with its payment and shipment."""
        answer = self.get(f"/orders/{order_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def history(self, order_id: str) -> list[dict[str, Any]]:
        """An order's audit trail."""
        found: list[dict[str, Any]] = self.get(f"/orders/{order_id}/history").json()["history"]
        return found

    def progress(self, order_id: str) -> dict[str, Any]:
        """An order's saga."""
        found: dict[str, Any] = self.get(f"/orders/{order_id}/status").json()
        return found

    def until_status(self, order_id: str, *wanted: str, seconds: float = 120) -> dict[str, Any]:
        """The order, once it is in one of these statuses."""
        last: list[str] = []

        def look() -> dict[str, Any] | None:
            found = self.order(order_id)
            last[:] = [found["order"]["status"]]
            return found if last[0] in wanted else None

        try:
            return until(look, seconds, f"{order_id}: {' or '.join(wanted)}")
        except TooLate as late:
            raise TooLate(f"{late}; it is {last}: {self.history(order_id)}") from None

    def until_over(self, order_id: str, seconds: float = 120) -> dict[str, Any]:
        """The order, once nothing more happens to it: delivered, or undone to the last bit."""
        over = ("COMPLETED", "ROLLED_BACK", "FAILED")
        until(lambda: self.progress(order_id)["overall_status"] in over, seconds, f"the end of {order_id}")
        return self.order(order_id)


@dataclass
class Deployment:
    """A running stack; ``aws_url`` is known of local ones only."""

    url: str
    sign: Callable[[str, Sequence[str]], str]
    aws_url: str | None = None
    aws_names: dict[str, str] = field(default_factory=dict)
    sign_shop: Callable[[], str] | None = None
    _clients: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def http(self) -> httpx.Client:
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        return httpx.Client(base_url=self.url, timeout=120, limits=limits, trust_env=False)

    def as_(self, subject: str, *groups: str) -> Api:
        return Api(self.http, self.sign(subject, groups), subject)

    @cached_property
    def anybody(self) -> Api:
        return Api(self.http)

    @cached_property
    def ada(self) -> Api:
        return self.as_("ada")

    @cached_property
    def eve(self) -> Api:
        return self.as_("eve")

    @cached_property
    def support(self) -> Api:
        return self.as_("sue", "support")

    @cached_property
    def admin(self) -> Api:
        return self.as_("ann", "admin")

    @cached_property
    def shop(self) -> Api:
        assert self.sign_shop is not None, "nothing signs a shop's tokens here"
        return Api(self.http, self.sign_shop())

    @cached_property
    def carrier(self) -> Api:
        return self.as_("carl", "carrier")

    def a_product(self, product_id: str, stock: int, amount: int = 1000) -> str:
        """A product of one test's own, so that its stock is that test's alone."""
        price = {"amount": amount, "currency": "USD"}
        answer = self.admin.put(f"/products/{product_id}", {"name": "Race bib", "unit_price": price, "stock": stock})
        assert answer.status_code == 200, answer.text
        return product_id

    def stock(self, product_id: str) -> int:
        return int(self.anybody.get(f"/products/{product_id}").json()["stock"])

    def aws(self, service: str) -> Any:
        """A client of the local stack's AWS: one for each service, since making one costs more than dozens of its calls."""
        if service not in self._clients:
            self._clients[service] = self._client(service)
        return self._clients[service]

    def _client(self, service: str) -> Any:
        config = Config(retries={"mode": "standard", "total_max_attempts": 3}, max_pool_connections=32)
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.aws_url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=config,
        )

    def sweep(self) -> list[str]:
        """What ``orders sweep`` does to a stack on this machine; answers the orders it restarted."""
        answer = httpx.post(f"{self.url}/.local/sweep", timeout=120, trust_env=False)
        assert answer.status_code == 200, answer.text
        restarted: list[str] = answer.json()["restarted"]
        return restarted

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self.http.close()


def in_this_process(inside: Stack) -> Deployment:
    """A stack of this process, spoken to over HTTP as any other."""
    return Deployment(inside.url, inside.token, inside.aws_url, inside.outputs | inside.resources)


class Served(Deployment):
    """``orders serve`` in a process of its own, on free ports."""

    variables: Path
    """The file that sets its tokens in a shell."""

    def __init__(self, *options: str) -> None:
        self.log = Path(tempfile.mkstemp(prefix="orders-serve-", suffix=".log")[1])
        began = time.monotonic()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local.cli", "serve", "--port", "0", *options],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
                env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            )
        printed = printed_until_ready(self.process, self.log)
        self.seconds_to_ready = time.monotonic() - began
        url, variables = re.search(r"http://[\d.:]+", printed), re.search(r"tokens +\. (\S+)", printed)
        assert url is not None
        assert variables is not None
        self.variables = Path(variables[1])
        super().__init__(url.group(), self._token, sign_shop=self._shop_token)
        known = httpx.post(f"{self.url}/.local/stack", trust_env=False).json()
        self.aws_url, self.aws_names = known["aws_url"], known["outputs"] | known["resources"]

    def _token(self, subject: str, groups: Sequence[str]) -> str:
        answer = httpx.post(f"{self.url}/.local/token", json={"sub": subject, "groups": list(groups)}, trust_env=False)
        return str(answer.json()["token"])

    def _shop_token(self) -> str:
        return str(httpx.post(f"{self.url}/.local/token", json={"shop": True}, trust_env=False).json()["token"])

    def memory(self) -> float:
        """Resident, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        assert found is not None
        return int(found.group(1)) / 1024

    def end(self, number: signal.Signals = signal.SIGINT) -> float:
        """Sends the signal, and says how long the process then took to go."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(60)
        took = time.monotonic() - began
        if self.process.stdout:
            self.process.stdout.close()
        self.close()
        return took

    def is_gone(self) -> bool:
        """Whether nothing of its session is left."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def crashes(self) -> list[str]:
        """What went wrong inside without anybody having asked for it."""
        return [line for line in self.log.read_text().splitlines() if " ERROR " in line or line.startswith("Traceback")]

    def gossip(self) -> list[str]:
        """What people are called, where they live and what opens doors, as far as it stands in the log."""
        text = self.log.read_text()
        places = {value for place in (HOME, ELSEWHERE) for name, value in place.items() if name != "country"} - {"London"}
        return [word for word in sorted(places | {"tok_", "Bearer ", "task_token", "whsec_"}) if word in text]


@contextmanager
def serving(*options: str) -> Iterator[Served]:
    """A stack for as long as it is needed; it must not have tripped over itself meanwhile."""
    stack = Served(*options)
    try:
        yield stack
        assert stack.crashes() == [], stack.log.read_text()[-5000:]
        assert stack.gossip() == [], "the log holds what it must not"
    finally:
        if stack.process.poll() is None:
            stack.end(signal.SIGKILL)
        stack.close()
        stack.log.unlink(missing_ok=True)


def deployed() -> Deployment | None:
    """The stack that ORDERS_URL names, if it does. TOKEN_CMD prints a token, given SUB [--group GROUP]... or --shop."""
    url = os.environ.get("ORDERS_URL")
    if not url:
        return None
    command = os.environ["TOKEN_CMD"]

    def printed(*words: str) -> str:
        return subprocess.run([*shlex.split(command), *words], check=True, capture_output=True, text=True).stdout.strip()

    def sign(subject: str, groups: Sequence[str]) -> str:
        return printed(subject, *(word for group in groups for word in ("--group", group)))

    return Deployment(url.rstrip("/"), sign, sign_shop=lambda: printed("--shop"))
