"""What a user would pick instead, in the same run: the same order on DBOS with SQLite and on Restate.

Each is installed into an environment of its own below the user's cache, and left out with a message where that is not possible.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.client import Answer, Connection, Request, quantile, send_all
from bench.pipeline import Flood, Memory, wish

PEERS = Path(__file__).parent / "peers"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "orders-bench"
DBOS, RESTATE_SDK, RESTATE_SERVER = "dbos==3.4.0", "restate-sdk==1.3.0", "@restatedev/restate-server@1"
UV = Path(sys.prefix) / "bin" / "uv"
Json = Any


class NotHere(RuntimeError):
    """It cannot be installed here; the text says why."""


@dataclass(frozen=True)
class Rival:
    """A running peer: where orders go in, where their status is read, and which processes it consists of."""

    name: str
    version: str
    url: str
    path: Callable[[str], str]
    status_url: str
    pids: tuple[int, ...]

    def cpu(self) -> float:
        return sum(_cpu_of(pid) for pid in self.pids)

    def request(self, order_id: str) -> Request:
        return ("POST", self.path(order_id), None, wish(order_id))

    def summary(self, prefix: str) -> Json:
        with urllib.request.urlopen(f"{self.status_url}/summary/{prefix}", timeout=30) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read())


def _cpu_of(pid: int) -> float:
    """Seconds of CPU, of the process and of the children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / float(os.sysconf("SC_CLK_TCK"))


def _environment(name: str, *packages: str) -> Path:
    python = CACHE / name / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run([UV, "venv", "--quiet", CACHE / name], check=True, capture_output=True, text=True)
        subprocess.run(
            [UV, "pip", "install", "--quiet", "--python", python, *packages], check=True, capture_output=True, text=True
        )
    except (subprocess.CalledProcessError, OSError) as failed:
        raise NotHere(f"{packages[0]} cannot be installed here: {_last_line(failed)}") from failed
    return python


def _last_line(failed: Exception) -> str:
    return (str(getattr(failed, "stderr", "") or failed).strip().splitlines() or ["no reason given"])[-1]


def _port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NotHere(f"{process.args!r} ended at its start")
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310 - loopback
            return
        except OSError:
            time.sleep(0.1)
    raise NotHere(f"nothing answers at {url}")


@contextmanager
def dbos(wait: float) -> Iterator[Rival]:
    python = _environment("dbos", DBOS, "uvicorn", "uvloop", "httptools")
    with tempfile.TemporaryDirectory() as folder:
        port = _port()
        process = subprocess.Popen([python, PEERS / "dbos_orders.py", str(port), folder, str(wait)], stdout=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}"
            _await(f"{url}/summary/none", process)
            yield Rival("DBOS, SQLite", DBOS, url, lambda _: "/orders", url, (process.pid,))
        finally:
            process.kill()
            process.wait()


@contextmanager
def restate(wait: float) -> Iterator[Rival]:
    python = _environment("restate", RESTATE_SDK, "hypercorn")
    server = _restate_server()
    with tempfile.TemporaryDirectory() as folder:
        ingress, admin, node, port = _port(), _port(), _port(), _port()
        own = {
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
            "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RESTATE_LOG_FILTER": "error",
        }
        quiet = subprocess.DEVNULL
        engine = subprocess.Popen(
            [server, "--no-logo", "--base-dir", folder], env={**os.environ, **own}, stdout=quiet, stderr=quiet
        )
        service = subprocess.Popen(
            [python, PEERS / "restate_orders.py", str(port), folder, str(wait)], stdout=quiet, stderr=quiet
        )
        try:
            _await(f"http://127.0.0.1:{port}/summary/none", service)
            _await(f"http://127.0.0.1:{admin}/health", engine)
            body = json.dumps({"uri": f"http://127.0.0.1:{port + 1}"}).encode()
            told = urllib.request.Request(f"http://127.0.0.1:{admin}/deployments", body, {"content-type": "application/json"})
            urllib.request.urlopen(told, timeout=30).close()  # noqa: S310 - loopback
            _await(f"http://127.0.0.1:{ingress}/restate/health", engine)
            version = subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
            yield Rival(
                "Restate, Python",
                f"{version}, {RESTATE_SDK}",
                f"http://127.0.0.1:{ingress}",
                lambda order_id: f"/orders/{order_id}/run/send",
                f"http://127.0.0.1:{port}",
                (engine.pid, service.pid),
            )
        finally:
            for process in (engine, service):
                process.kill()
                process.wait()


def _restate_server() -> Path:
    """The binary itself: npm's wrapper would be a process between us and what is measured."""
    found = list((CACHE / "npm").glob("node_modules/@restatedev/restate-server-*/bin/restate-server"))
    if found:
        return found[0]
    npm = shutil.which("npm")
    if npm is None:
        raise NotHere("Restate's server comes with npm, and there is none here")
    (CACHE / "npm").mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [npm, "install", "--silent", "--no-save", RESTATE_SERVER],
        cwd=CACHE / "npm",
        capture_output=True,
        text=True,
        check=False,
    )
    found = list((CACHE / "npm").glob("node_modules/@restatedev/restate-server-*/bin/restate-server"))
    if not found:
        raise NotHere(f"Restate's server cannot be installed here: {done.stderr.strip()[-200:]}")
    return found[0]


# --- measuring, as the product is measured ------------------------------------------------------------------


def flood(rival: Rival, count: int, name: str, waits: float = 0.0) -> Flood:
    """So many orders at once, until the last is delivered."""
    memory = [Memory(pid) for pid in rival.pids]
    cpu, began = rival.cpu(), time.time()
    answers: list[Answer] = asyncio.run(send_all(rival.url, (rival.request(f"{name}-{n}") for n in range(count))))
    placed = time.time() - began
    ended = rival.summary(f"{name}-")
    while _delivered(ended) < count and time.time() - began < 180:
        time.sleep(0.1)
        ended = rival.summary(f"{name}-")
    latencies = [at - answers[int(order_id.rpartition("-")[2])].sent_at for order_id, (_, at) in ended.items()]
    for watched in memory:
        watched.close()
    return Flood(
        orders=count,
        per_second=count / (max(at for _, at in ended.values()) - began),
        placed_per_second=count / placed,
        latency_p50=statistics.median(latencies),
        latency_p99=quantile(latencies, 0.99),
        cpu_ms=(rival.cpu() - cpu) * 1000 / count,
        post_p50_ms=statistics.median(answer.seconds for answer in answers) * 1000,
        peak_mb=sum(watched.peak for watched in memory),
        wrong=count - _delivered(ended),
        beyond_waits_ms=(max(latencies) - waits) * 1000,
    )


def _delivered(ended: Json) -> int:
    return sum(status == "DELIVERED" for status, _ in ended.values())


def one_by_one(rival: Rival, count: int, name: str) -> list[float]:
    """Milliseconds of single orders."""

    async def run() -> list[float]:
        ingress, reading = Connection(rival.url), Connection(rival.status_url)
        taken: list[float] = []
        for number in range(count):
            placed = await ingress.call(*rival.request(f"{name}-{number}"))
            found: Json = None
            while not found or found["status"] != "DELIVERED":
                found = (await reading.call("GET", f"/orders/{name}-{number}/status")).json()
            taken.append((found["at"] - placed.sent_at) * 1000)
        return taken

    return asyncio.run(run())


def status_under_load(rival: Rival, count: int, name: str) -> list[float]:
    """Milliseconds of each status read while so many orders run."""

    async def run() -> list[float]:
        requests: Iterator[Request] = (rival.request(f"{name}-{n}") for n in range(count))
        placing = asyncio.ensure_future(send_all(rival.url, requests))
        reading = Connection(rival.status_url)
        taken: list[float] = []
        while not placing.done() or len(taken) % 100:
            taken.append((await reading.call("GET", f"/orders/{name}-0/status")).seconds * 1000)
            await asyncio.sleep(0.005)
        await placing
        return taken

    return asyncio.run(run())


RIVALS = (dbos, restate)
