"""A stack for a test or another program."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from local.ports.listening import run
from local.stack.environment import forget_settings
from local.stack.settings import Settings
from local.stack.stack import Stack


@contextmanager
def running(settings: Settings | None = None) -> Iterator[Stack]:
    """A stack on a loop in a thread of its own. One at a time: the engine and the handlers' settings are the process's."""
    started: Future[Stack] = Future()
    environment, interval, thresholds = dict(os.environ), sys.getswitchinterval(), gc.get_threshold()
    stopping = threading.Event()

    async def main() -> None:
        stack: Stack | None = None
        try:
            stack = Stack(settings or Settings())
            await stack.start()
        except BaseException as failure:  # noqa: BLE001 - raised in the thread that asked for the stack
            if stack is not None:
                await stack.stop()
            started.set_exception(failure)
            return
        started.set_result(stack)
        await asyncio.to_thread(stopping.wait)
        await stack.stop()

    thread = threading.Thread(target=lambda: run(main()), name="stack")
    thread.start()
    try:
        yield started.result()
    finally:
        stopping.set()
        thread.join()
        # The next client of AWS in this process must not be sent to a stopped stack.
        os.environ.clear()
        os.environ.update(environment)
        forget_settings((settings or Settings()).code)
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def wait_until(condition: Any, seconds: float = 120.0) -> None:
    """For a test's own thread: polls until the condition holds. The limit is for one that never holds, not for a slow one."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come about in time")
        time.sleep(0.005)
