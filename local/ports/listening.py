"""Binds and serves the ports of the stack."""

from __future__ import annotations

import asyncio
import errno
import importlib
import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from local.common import NotReady

KEPT_ALIVE_SECONDS = 75
"""How long an idle connection stays open. Longer than clients keep theirs (httpx: 5 s): a request must not meet its closing."""


class Servers:
    """ASGI applications, each on a loop in a thread of its own."""

    def __init__(self) -> None:
        self._servers: list[uvicorn.Server] = []
        self._serving: list[threading.Thread] = []

    async def serve(self, app: Any, *listeners: socket.socket) -> None:
        """Not on this loop: a caller does not wait until this one is through with what is ready."""
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            ws="none",
            timeout_keep_alive=KEPT_ALIVE_SECONDS,
            timeout_graceful_shutdown=1,
        )
        server = _Server(config)
        self._servers.append(server)
        serving = threading.Thread(target=lambda: run(server.serve(sockets=list(listeners))), name="serving", daemon=True)
        serving.start()
        self._serving.append(serving)
        while not server.started:
            if not serving.is_alive():
                raise NotReady("a server did not start")
            await asyncio.sleep(0.002)

    async def stop(self) -> None:
        for server in self._servers:
            server.should_exit = True
        for serving in self._serving:
            await asyncio.to_thread(serving.join, 1.5)


class _Server(uvicorn.Server):
    """Signals are the command's business, not each server's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(main: Any) -> None:
    """asyncio.run on the fastest loop there is."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        asyncio.run(main)
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def bind(port: int, address: str = "127.0.0.1") -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as failure:
        listener.close()
        if failure.errno == errno.EADDRNOTAVAIL:
            raise NotReady(f"{address} is not an address of this machine") from failure
        raise NotReady(f"port {port} is taken: choose another one") from failure
    return listener
