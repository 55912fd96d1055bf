"""The receivers of webhooks that the documents show: run as they stand there, with requests as the product signs them."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from tests.template.test_docs import DOCUMENTS, ROOT

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
PAGE = DOCUMENTS["docs/webhooks.md"]
NODE_PACKAGES = ROOT / ".venv/tools/clients-node/node_modules"


def shown(name: str) -> str:
    found = re.search(rf"`{re.escape(name)}`:\n\n```\w+\n(.*?)```\n", PAGE, re.DOTALL)
    assert found
    return found[1]


@contextmanager
def running(command: list[str], folder: Path) -> Iterator[tuple[httpx.Client, "subprocess.Popen[str]"]]:
    """A receiver, and its output."""
    environment = {**os.environ, "WEBHOOK_SECRET": SECRET, "PORT": "0"}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            said = process.stdout.readline()
            assert said.startswith("listening on "), said
            with httpx.Client(base_url=f"http://127.0.0.1:{said.split()[-1]}") as client:
                yield client, process
        finally:
            process.terminate()


@pytest.fixture(params=["receiver.py", "receiver.mjs"])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Starts the receiver that the page shows; it is started anew each time it is called."""
    name = request.param
    (tmp_path / name).write_text(shown(name), encoding="utf-8")
    command = [sys.executable, name]
    if name.endswith(".mjs"):
        node = shutil.which("node")
        if node is None or not installed():
            pytest.skip("there is no Node.js, or npm could not install standardwebhooks")
        (tmp_path / "node_modules").symlink_to(NODE_PACKAGES)
        command = [node, name]
    return lambda: running(command, tmp_path)


def installed() -> bool:
    make, npm = shutil.which("make"), shutil.which("npm")
    if npm is None:
        return False
    assert make
    subprocess.run([make, "-s", ".venv/tools/clients-node/.ready"], cwd=ROOT, check=False, capture_output=True)
    return (NODE_PACKAGES / "standardwebhooks").is_dir()


def an_event(version: int, status: str) -> dict[str, Any]:
    data = {"order_id": "order-1", "version": version, "new_status": status, "event_type": "OrderStatusChanged"}
    return {"type": "OrderStatusChanged", "timestamp": "2026-11-20T12:00:00.000Z", "data": data}


def a_step(version: int, event_type: str, **more: str) -> dict[str, Any]:
    data = {"order_id": "order-1", "version": version, "event_type": event_type, **more}
    return {"type": event_type, "timestamp": "2026-11-20T12:00:00.000Z", "data": data}


def send(client: httpx.Client, event_id: str, event: dict[str, Any], secret: str = SECRET, age: int = 0) -> int:
    body = json.dumps(event)
    at = datetime.now(UTC) - timedelta(seconds=age)
    signed = {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, at, body),
    }
    return client.post("/", content=body, headers=signed).status_code


def test_a_receiver_handles_each_event_once_and_none_that_is_older_over_restarts_too(receiver: Any) -> None:
    with receiver() as (client, process):
        assert send(client, "1", an_event(2, "PROCESSING")) == 204
        assert send(client, "1", an_event(2, "PROCESSING")) == 204
        assert send(client, "3", an_event(5, "DELIVERED")) == 204
        assert process.stdout.readline().split() == ["OrderStatusChanged", "order-1", "PROCESSING"]
        assert process.stdout.readline().split() == ["OrderStatusChanged", "order-1", "DELIVERED"]
    with receiver() as (client, process):
        assert send(client, "3", an_event(5, "DELIVERED")) == 204
        assert send(client, "2", an_event(4, "SHIPPED")) == 204
        assert send(client, "4", an_event(6, "RETURNED")) == 204
        assert process.stdout.readline().split() == ["OrderStatusChanged", "order-1", "RETURNED"]


def test_a_receiver_handles_all_events_of_a_version_in_any_order(receiver: Any) -> None:
    with receiver() as (client, process):
        for event_id, event in (
            ("1", a_step(1, "SAGA_STARTED")),
            ("3", a_step(2, "STEP_STARTED", step="Payment Processing")),
            ("2", a_step(2, "STEP_COMPLETED", step="Inventory Reservation")),
        ):
            assert send(client, event_id, event) == 204
        handled = [process.stdout.readline().split() for _ in range(3)]
    assert handled == [
        ["SAGA_STARTED", "order-1"],
        ["STEP_STARTED", "order-1", "Payment", "Processing"],
        ["STEP_COMPLETED", "order-1", "Inventory", "Reservation"],
    ]


def test_a_receiver_refuses_what_is_not_signed_well(receiver: Any) -> None:
    with receiver() as (client, _):
        assert send(client, "1", an_event(2, "PROCESSING"), secret="whsec_" + "A" * 32) == 401
        assert send(client, "1", an_event(2, "PROCESSING"), age=3600) == 401
        assert client.post("/", content=b"{}").status_code == 401
        assert client.post("/", content=b"x" * 70_000).status_code == 413
