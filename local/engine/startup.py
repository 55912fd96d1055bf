"""The engine loaded and started in this process."""

from __future__ import annotations

import asyncio
import atexit
import importlib
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local.common import REGION
from local.engine import internals
from local.ports.listening import bind

_reserved: list[socket.socket] = []


def engine_socket(port: int) -> socket.socket:
    """What the engine is to be served on. It reads its settings when it is imported, so a second stack of this process is
    on the first one's port."""
    loaded = sys.modules.get("ministack.app")
    listener = bind(int(loaded._MINISTACK_PORT) if loaded else port)  # noqa: SLF001
    if loaded is None and sys.platform == "linux":
        # Bound and never listened on: reserves the port between two stacks of this process.
        _reserved.append(bind(listener.getsockname()[1]))
        atexit.register(_reserved[-1].close)
    return listener


def load(listener: socket.socket) -> Any:
    """The engine's application, told of its port."""
    os.environ.update(
        GATEWAY_PORT=str(listener.getsockname()[1]),
        BIND_HOST="127.0.0.1",
        MINISTACK_HOST="127.0.0.1",
        MINISTACK_REGION=REGION,
        LAMBDA_ACCOUNT_CONCURRENCY="0",
        LOG_LEVEL=os.environ.get("LOG_LEVEL", "WARNING"),
    )
    _load_without_docker("ministack.services.lambda_svc")
    return importlib.import_module("ministack.app")


def _load_without_docker(module: str) -> None:
    """Functions run in this process: the client of Docker takes half as long to load as the service itself."""
    client = sys.modules.pop("docker", None)
    sys.modules["docker"] = None  # type: ignore[assignment]
    try:
        importlib.import_module(module)
    finally:
        del sys.modules["docker"]
        if client is not None:
            sys.modules["docker"] = client


USED = (
    "apigateway",
    "cloudformation",
    "cloudwatch",
    "cloudwatch_logs",
    "cognito",
    "dynamodb",
    "eventbridge",
    "iam",
    "lambda_svc",
    "s3",
    "scheduler",
    "secretsmanager",
    "sns",
    "sqs",
    "stepfunctions",
)


def wake(application: Any, loop: asyncio.AbstractEventLoop) -> None:
    """Its start without what is not for here: looking for Docker, SFTP and MQTT listeners, 64 threads."""
    for name in USED:  # what an earlier stack of this process left; all its services together would look for Docker
        if f"ministack.services.{name}" in sys.modules:
            internals.part(name, "reset")()
    application._MAIN_LOOP = loop  # noqa: SLF001
    loop.set_default_executor(ThreadPoolExecutor(8, thread_name_prefix="engine"))
    internals.part("eventbridge", "start_scheduler")()
    internals.part("scheduler", "start_scheduler")()
