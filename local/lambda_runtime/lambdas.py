"""Runs the real handlers in this process, with Lambda's context and its handling of failures."""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import logging
import os
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from local.common import Json
from local.fastpath import switch
from local.fastpath.fast_json import copied
from local.fastpath.pool import Pool as FewThreads
from local.lambda_runtime.answers import Answer
from local.lambda_runtime.threads import Pool, Threads, call

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Config:
    """One function as the template describes it."""

    name: str
    arn: str
    handler: str
    timeout: float
    memory: int
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Invocation:
    """What a wrapper sees of a call before it decides what becomes of it."""

    function: str
    event: Json
    request_id: str


Call = Callable[[Invocation], Json]
# A wrapper gets the call and what would carry it out; it may call it never, once or twice, before or after a fault.
Wrapper = Callable[[Invocation, Call], Json]
# Gets a function's name and what it printed in one invocation: its log, metrics included.
Listener = Callable[[str, str], None]


class Killed(BaseException):
    """Raised by a wrapper: the execution environment died, the function's own code never saw it coming."""


class LambdaContext:
    """The second argument of a handler."""

    memory_limit_in_mb: str
    client_context = None
    identity = None
    function_version = "$LATEST"

    def __init__(self, config: Config, request_id: str) -> None:
        self._deadline = time.monotonic() + config.timeout
        self.function_name = config.name
        self.invoked_function_arn = config.arn
        self.memory_limit_in_mb = str(config.memory)
        self.aws_request_id = request_id
        self.log_group_name = f"/aws/lambda/{config.name}"
        self.log_stream_name = "local"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.monotonic()) * 1000))


class _Output(io.TextIOBase):
    """Replaces sys.stdout: a handler's output goes to its function's log, all other output to the real stdout."""

    def __init__(self) -> None:
        self.real: TextIO = sys.stdout
        self.log = threading.local()

    def take_over(self) -> None:
        if sys.stdout is not self:
            self.real = sys.stdout
            sys.stdout = self

    def write(self, text: str) -> int:
        lines = getattr(self.log, "lines", None)
        if lines is None:
            return self._where_it_went().write(text)
        lines.append(text)
        return len(text)

    def flush(self) -> None:
        if getattr(self.log, "lines", None) is None:
            self._where_it_went().flush()

    def isatty(self) -> bool:
        return self._where_it_went().isatty()

    def _where_it_went(self) -> TextIO:
        """Loggers keep this stream: after their stack has stopped, they write to the current sys.stdout."""
        return self.real if sys.stdout is self else sys.stdout


_OUTPUT = _Output()  # one for all stacks of a process: loggers made for the first serve the others too


class _Waiting:
    """For the answer of one invocation, or for the end of its time, which begins when it does.

    Settled, it holds on to nothing: closures that know each other would be left to the garbage collector, thrice an order.
    """

    __slots__ = ("_answered", "_config", "_loop", "_timer", "since")

    def __init__(self, loop: asyncio.AbstractEventLoop, config: Config, answered: asyncio.Future[Answer]) -> None:
        self._loop = loop
        self._config = config
        self._answered = answered
        self.since: float | None = None
        self._timer: asyncio.TimerHandle | None = loop.call_later(config.timeout, self._look)

    def settle(self, answer: Answer) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._answered.done():
            self._answered.set_result(answer)

    def _look(self) -> None:
        left = self._config.timeout - (time.monotonic() - self.since if self.since else 0)
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self.settle(timed_out(self._config))


def _threads(name: str) -> Pool:
    return FewThreads(name) if switch.is_on() else Threads(name)


class NoSuchFunction(LookupError):
    """Lambda's ResourceNotFoundException."""


class Lambdas:
    """The functions of the stack. Handlers run on bounded pools, so that a rush of work never delays an answer.

    An invocation over its time-out is given up as Lambda gives it up; its thread ends when the handler returns,
    since a thread cannot be killed.
    """

    def __init__(self) -> None:
        self._configs: dict[str, Config] = {}
        self._handlers: dict[str, Callable[[Json, LambdaContext], Json]] = {}
        self._api = _threads("api")
        # Reads of orders do not queue behind placements.
        self._reads = _threads("reads")
        self._work = _threads("work")
        self._import = threading.Lock()
        self.wrappers: list[Wrapper] = []
        self.listeners: list[Listener] = []
        self._output = _OUTPUT
        self._closed = False
        self._counting = threading.Lock()
        self.begun = 0
        """How many invocations have begun."""
        self._ended = 0

    def register(self, configs: list[Config]) -> None:
        """Takes the functions in, and their environment into this process: one environment must serve them all."""
        for config in configs:
            self._configs[config.name] = config
            for name, value in config.environment.items():
                known = next((c for c in self._configs.values() if c.environment.get(name, value) != value), None)
                if known is not None:
                    raise ValueError(f"{config.name} and {known.name} differ in {name}: one process cannot hold both")
                os.environ[name] = value

    def preload(self) -> None:
        """Imports every handler, so that no order pays for it; a handler that cannot be imported fails when called."""
        self._output.take_over()  # before they make their loggers, which keep the stream they find
        for config in self._configs.values():
            try:
                self._handler(config)
            except ImportError as missing:
                logger.warning("%s cannot be imported: %s", config.handler, missing)

    def environment(self) -> dict[str, str]:
        """What the template sets for the functions, all of them together."""
        return {name: value for config in self._configs.values() for name, value in config.environment.items()}

    def names(self) -> list[str]:
        return sorted(self._configs)

    def config(self, reference: str) -> Config:
        """By name, or by an ARN with or without a qualifier."""
        name = reference.split(":function:", 1)[-1].split(":", 1)[0]
        try:
            return self._configs[name]
        except KeyError:
            raise NoSuchFunction(f"Function not found: {reference}") from None

    def close(self) -> None:
        self._closed = True
        if sys.stdout is self._output:
            sys.stdout = self._output.real
        self._api.close()
        self._reads.close()
        self._work.close()

    def idle(self) -> bool:
        """No handler is running, not even one that was given up."""
        return self._ended == self.begun

    # -- invoking

    def invoke(self, reference: str, event: Json, *, for_api: bool = False) -> Answer:
        """From a thread: waits for the answer."""
        config = self.config(reference)
        future = call(self._pool(event, for_api=for_api), lambda: self._run(config, event))
        try:
            return future.result(config.timeout)
        except TimeoutError:
            return timed_out(config)

    def begin(self, reference: str, event: Json, *, for_api: bool = False, later: bool = False) -> asyncio.Future[Answer]:
        """From the loop: a future of the answer; a cancelled one when the stack is being stopped.

        ``later`` lets others pass: for what comes from a queue, or asynchronously.
        """
        loop = asyncio.get_running_loop()
        config = self.config(reference)
        answered: asyncio.Future[Answer] = loop.create_future()
        if self._closed:
            answered.cancel()
            return answered
        waiting = _Waiting(loop, config, answered)

        def work() -> None:
            waiting.since = time.monotonic()
            _tell(loop, waiting.settle, self._run(config, event))

        self._pool(event, for_api=for_api).submit(work, later=later)
        return answered

    def _pool(self, event: Json, *, for_api: bool) -> Pool:
        if not for_api:
            return self._work
        return self._reads if str(event.get("routeKey", "")).startswith("GET ") else self._api

    def _run(self, config: Config, event: Json) -> Answer:
        invocation = Invocation(config.name, event, str(uuid.uuid4()))

        def handle(invocation: Invocation) -> Json:
            # The handler gets its own copy, and its answer must be JSON: nothing is shared that Lambda would not share.
            answer = self._handler(config)(copied(invocation.event), LambdaContext(config, invocation.request_id))
            return json.loads(json.dumps(answer))

        call: Call = handle
        for wrapper in self.wrappers:
            call = _wrapped(wrapper, call)
        printed = self._output.log.lines = []
        with self._counting:
            self.begun += 1
        try:
            return Answer(call(invocation))
        except Killed:
            exited = f"RequestId: {invocation.request_id} Error: Runtime exited with error: signal: killed"
            return Answer({"errorType": "Runtime.ExitError", "errorMessage": exited}, failed=True)
        except Exception as error:  # as Lambda does: an exception of the handler is its result
            logger.debug("%s failed", config.name, exc_info=True)
            return Answer(error_document(error), failed=True)
        finally:
            with self._counting:
                self._ended += 1
            self._output.log.lines = None
            if printed:
                self._tell(config.name, "".join(printed))

    def _tell(self, function: str, text: str) -> None:
        for listener in self.listeners:
            listener(function, text)

    def _handler(self, config: Config) -> Callable[[Json, LambdaContext], Json]:
        handler = self._handlers.get(config.name)
        if handler is None:
            module, _, attribute = config.handler.rpartition(".")
            with self._import:
                handler = getattr(importlib.import_module(module), attribute)
            self._handlers[config.name] = handler
        return handler


def _wrapped(wrapper: Wrapper, call: Call) -> Call:
    return lambda invocation: wrapper(invocation, call)


def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *arguments: Any) -> None:
    """Schedules a call on the loop; does nothing if the loop is closed."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(callback, *arguments)


def error_document(error: BaseException) -> dict[str, Json]:
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }


def timed_out(config: Config) -> Answer:
    message = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} Task timed out after {config.timeout:.2f} seconds"
    return Answer({"errorType": "Sandbox.Timedout", "errorMessage": message}, failed=True)
