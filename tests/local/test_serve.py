"""The command itself: it leaves nothing behind, and nothing acknowledged is lost to a kill."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.cli import commands
from local.cli.client import Api, Unreachable
from local.stack.running import wait_until
from local.stack.settings import ROOT
from tests.harness.bodies import a_body
from tests.harness.stacks import printed_until_ready

pytestmark = pytest.mark.skipif(not (ROOT / "template.yaml").exists(), reason="needs the product's template")


class Served:
    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local.cli", "serve", "--port", "0", *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait(self) -> Served:
        self.printed = printed_until_ready(self.process)
        self.url = re.search(r"http://127\.0\.0\.1:\d+", self.printed).group()  # type: ignore[union-attr]
        self.api = Api(self.url)
        return self

    def signal(self, number: signal.Signals) -> int:
        """Answers the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(60)
        if self.process.stdout:
            self.process.stdout.close()
        return code

    def has_children(self) -> bool:
        """Whether it has begun to start: it expands the template in a process of its own."""
        return bool(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text())

    def session_is_empty(self) -> bool:
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False


@pytest.fixture
def begin() -> Iterator[Callable[..., Served]]:
    """Starts the command, and does not wait until it is up."""
    served: list[Served] = []

    def start(*options: str) -> Served:
        served.append(Served(*options))
        return served[-1]

    yield start
    for stack in served:
        if stack.process.poll() is None:
            stack.signal(signal.SIGKILL)


@pytest.fixture
def serve(begin: Callable[..., Served]) -> Callable[..., Served]:
    """Starts the command, and waits until it is up."""
    return lambda *options: begin(*options).wait()


def place(api: Api, **more: Any) -> str:
    return str(api.signed_in("sue").call("POST", "/orders", a_body(**more))["order"]["order_id"])


def run_in_a_shell(printed: str) -> str:
    """Runs the printed curl, after the file of the tokens; returns what it prints."""
    tokens = re.search(r"^  tokens +(\. \S+)", printed, re.MULTILINE)
    curl = re.search(r"^  curl +(.*?)^Ctrl-C", printed, re.MULTILINE | re.DOTALL)
    bash = shutil.which("bash")
    assert tokens
    assert curl
    assert bash
    done = subprocess.run([bash, "-eu"], input=f"{tokens[1]}\n{curl[1]}", capture_output=True, text=True, check=True)
    return done.stdout


def test_it_says_how_it_is_used_and_leaves_nothing_behind(serve: Callable[..., Served]) -> None:
    served = serve()
    assert served.printed.startswith("Starting a stack")
    assert "sets $ORDERS_URL, $CUSTOMER" in served.printed
    placed = [json.loads(run_in_a_shell(served.printed))["order"]["order_id"] for _ in range(2)]
    assert placed[0] == placed[1], "the printed key makes one order of two requests"
    assert served.signal(signal.SIGINT) == 0
    assert served.session_is_empty()
    with pytest.raises(Unreachable):
        served.api.call("GET", "/health")


def test_any_parameter_of_the_template_can_be_set_and_mails_are_kept_where_there_is_a_sender(
    serve: Callable[..., Served], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("ReviewThreshold=3000", "ApprovalTimeoutSeconds=60", "MailSender=shop@example.com")
    served = serve(*(word for option in options for word in ("--set", option)), "--approval-seconds", "90")
    support = served.api.signed_in("sam", ["support"])
    order_id = place(served.api, contact={"email": "sue@example.com", "locale": "de"})
    order = support.call("GET", f"/orders/{order_id}")["order"]
    assert order["approval"]["status"] == "PENDING"
    seconds = datetime.fromisoformat(order["approval"]["expires_at"]) - datetime.fromisoformat(order["created_at"])
    assert seconds == timedelta(seconds=60)
    wait_until(lambda: support.call("GET", f"/orders/{order_id}/mails")["mails"] != [])
    assert commands.main(["mail", order_id, "--url", served.url]) == 0
    mail = capsys.readouterr().out
    assert mail.startswith("To: sue@example.com\nDate: ")
    assert f"\nSubject: Wir haben Ihre Bestellung {order_id} erhalten\nStatus: SENT\n\nGuten Tag" in mail


def test_a_limit_that_is_tried_out_does_not_keep_the_catalog_from_being_written(serve: Callable[..., Served]) -> None:
    served = serve("--rate-limit", "1", "--burst-limit", "1")
    assert len(served.api.call("GET", "/products")["products"]) == 6


def test_it_can_be_stopped_before_it_is_up(begin: Callable[..., Served]) -> None:
    # Other waits than anybody's before: the template has to be expanded, so that there is a time before it is up.
    served = begin("--payment-seconds", f"0.{time.time_ns()}")
    wait_until(served.has_children)
    assert served.signal(signal.SIGTERM) == 128 + signal.SIGTERM
    wait_until(served.session_is_empty)


def test_a_port_that_is_taken_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "local.cli", "serve", "--port", port]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stderr == f"orders: port {port} is taken: choose another one\n"


def test_an_acknowledged_order_survives_a_kill_and_goes_on_to_its_end(serve: Callable[..., Served], tmp_path: Path) -> None:
    waits = ("--payment-seconds", "0.5", "--preparation-seconds", "0.2", "--delivery-seconds", "0.2")
    first = serve("--data", str(tmp_path), *waits)
    orders = [place(first.api) for _ in range(10)]
    first.signal(signal.SIGKILL)

    second = serve("--data", str(tmp_path), *waits)
    api = second.api.signed_in("sam", ["support"])
    for order in orders:
        wait_until(lambda order=order: api.call("GET", f"/orders/{order}")["order"]["status"] == "DELIVERED")
        history = [event["event_type"] for event in api.call("GET", f"/orders/{order}/history")["history"]]
        assert history.count("PAYMENT_COMPLETED") == 1
    stock = api.call("GET", "/products/prod-001")["stock"]
    assert second.signal(signal.SIGTERM) == 0

    third = serve("--data", str(tmp_path))
    assert third.api.call("GET", "/products/prod-001")["stock"] == stock
    kept = third.api.signed_in("sam", ["support"])
    assert kept.call("GET", f"/orders/{orders[0]}")["order"]["status"] == "DELIVERED"
