"""Lambda: the product's own handlers, each invocation a greenlet that lets others run whenever it waits.

Promised, and kept here (https://docs.aws.amazon.com/lambda/latest/dg/):
- an invocation ends at its function's time-out, wherever it is (configuration-timeout.html);
- its process may end at any moment; what it has done stays done (lambda-runtime-environment.html);
- an asynchronous invocation that fails is tried again after one and after two minutes, then goes to its destination
  (invocation-async-error-handling.html); an event may be delivered more than once;
- too many at once are refused before anything runs (lambda-concurrency.html).
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet

from simulator.loop import Handle

if TYPE_CHECKING:
    from simulator.world import World

Json = Any

NEW_PROCESSES = 0.03
"""The share of invocations that find nothing of what an earlier one has kept: their process is new."""
SKEW = 2.0
"""How many seconds a function's clock is wrong, at most."""
ASYNC_PAUSES = (60.0, 120.0)
TIMED_OUT = ("Sandbox.Timedout", "Lambda.Unknown")
ENDED = ("Runtime.ExitError", "Lambda.Unknown")
REFUSED = ("Lambda.TooManyRequestsException", "Lambda.ServiceException", "Lambda.AWSLambdaException")
FORGOTTEN = ("Lambda.ClientExecutionTimeoutException", "Lambda.SdkClientException", "Lambda.Unknown")


class Killed(BaseException):
    """The process has ended. No handler of the product catches it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an invocation: what it returned, or an error's name and words."""

    payload: Json = None
    error: str | None = None
    words: str = ""


Told = Callable[[Outcome], object]


class Invocation:
    """One run of a handler."""

    __slots__ = ("deadline", "ended", "function", "greenlet", "handler", "is_earlier", "number", "skew", "told", "why", "world")

    def __init__(self, world: World, function: str, number: int, told: Told) -> None:
        self.world, self.function, self.number, self.told = world, function, number, told
        self.deadline = world.loop.now + world.functions.timeout(function)
        earlier = world.releases.handler(world.functions.module_of(function))
        self.is_earlier = earlier is not None
        """Whether edition one's handler runs, and not today's."""
        self.handler = earlier or world.functions.handler(function)
        self.skew = 0.0
        self.why: str | None = None
        """Why its process has ended, once it has."""
        self.ended = False
        self.greenlet: Any = None

    def begin(self, event: Json) -> None:
        """Runs the handler until it waits for the first time."""
        dice = self.world.dice
        if dice.happens("clock skew", self.function):
            self.skew = dice.uniform(-SKEW, SKEW)
        self.greenlet = greenlet(self._run)
        self._go_on(event)

    def _run(self, event: Json) -> Outcome:
        context = SimpleNamespace(
            aws_request_id=str(self.number), function_name=self.function, get_remaining_time_in_millis=self._milliseconds_left
        )
        try:
            return Outcome(self.handler(event, context))
        except Killed:
            return Outcome(None, self.why or "Runtime.ExitError", "The process has ended.")
        except Exception as error:
            if isinstance(error, (NotImplementedError, AssertionError)):
                raise
            return Outcome(None, type(error).__name__, str(error))

    def _milliseconds_left(self) -> float:
        return max(0.0, self.deadline - self.world.loop.now) * 1000

    def _go_on(self, *arguments: Json) -> None:
        world = self.world
        world.running = self
        outcome = self.greenlet.switch(*arguments)
        world.running = None
        if self.greenlet.dead:
            self.ended = True
            self.told(outcome)

    def fault_of(self, call: str) -> tuple[str, str] | None:
        """What goes wrong around a call, if anything does."""
        return None if self.is_earlier else self.world.dice.fault_of(self.function, call)

    def wait(self, seconds: float) -> None:
        """Lets others run for so long; ends the process if that is past its time."""
        loop = self.world.loop
        if loop.now + seconds >= self.deadline:
            self.why = self.why or self.world.dice.pick(TIMED_OUT)
            seconds = max(0.0, self.deadline - loop.now)
        loop.call_at(loop.now + seconds, self._go_on)
        getcurrent().parent.switch()
        if self.why:
            raise Killed

    def kill(self) -> None:
        """Ends the process, here and now."""
        self.why = self.world.dice.pick(ENDED)
        raise Killed

    def hang(self) -> None:
        """Waits until its time is over."""
        self.wait(self.deadline - self.world.loop.now)


class Functions:
    """All of the functions."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known = world.wiring.functions
        self._handlers = {name: importlib.import_module(one.module).handler for name, one in self._known.items()}
        self._invocations = 0
        self.busy = 0
        """How many invocations run, or wait to be tried again."""
        self.broken: dict[str, float] = {}
        """Functions that fail whatever they are given, and until when."""

    def timeout(self, function: str) -> float:
        return self._known[function].timeout

    def handler(self, function: str) -> Callable[[Json, Json], Json]:
        handler: Callable[[Json, Json], Json] = self._handlers[function]
        return handler

    def module_of(self, function: str) -> str:
        return self._known[function].module

    def of_module(self, module: str) -> str:
        """The function whose handler is in that module."""
        return next(name for name, one in self._known.items() if one.module == module)

    def invoke(self, function: str, event: Json, told: Told) -> None:
        """Runs a function, and says what came of it. Its caller may be refused, or give up and hear of nothing."""
        world = self._world
        self.busy += 1
        if world.dice.happens("invocation refused", function):
            refusal = Outcome(None, world.dice.pick(REFUSED), "Too many at once.")
            world.loop.call_later(0.05, self._ended, function, 0, told, refusal)
            return
        self._invocations += 1
        number = self._invocations
        hear = told
        if world.dice.happens("invocation forgotten", function):
            self.busy += 1
            forgotten = Outcome(None, world.dice.pick(FORGOTTEN), "No answer.")
            world.loop.call_later(world.dice.uniform(0.05, 3), self._ended, function, number, told, forgotten)
            hear = _nobody
        invocation = Invocation(world, function, number, lambda outcome: self._ended(function, number, hear, outcome))
        world.note(f"invoke {number} {function}")
        world.loop.call_later(world.dice.uniform(0.001, 0.02), self._begin, invocation, event)

    def _begin(self, invocation: Invocation, event: Json) -> None:
        if self.broken.get(invocation.function, 0.0) > self._world.loop.now:
            invocation.told(Outcome(None, "Runtime.ImportModuleError", "Unable to import module."))
            return
        if self._world.dice.likely(NEW_PROCESSES):
            self._world.restart()
        invocation.deadline = self._world.loop.now + self.timeout(invocation.function)
        invocation.begin(event)

    def _ended(self, function: str, number: int, told: Told, outcome: Outcome) -> None:
        self.busy -= 1
        self._world.note(f"ended {number} {function} {outcome.error or outcome.payload}")
        told(outcome)

    # --- asynchronously ---

    def send(self, function: str, event: Json, tries: int = 0, since: float | None = None) -> None:
        """Invokes a function asynchronously: again after a while if it fails, then for the operator to look at."""
        since = self._world.loop.now if since is None else since

        def told(outcome: Outcome) -> None:
            if outcome.error:
                self._failed(function, event, tries, since, outcome)

        self.invoke(function, event, told)

    def _failed(self, function: str, event: Json, tries: int, since: float, outcome: Outcome) -> None:
        known, loop = self._known[function], self._world.loop
        # What was refused does not count as a try: Lambda keeps it in its own queue.
        counted = tries + (outcome.error not in REFUSED)
        pause = ASYNC_PAUSES[min(tries, 1)]
        if counted <= known.retries and loop.now + pause - since <= known.longest_age:
            self.later(pause, function, event, counted, since)
        elif known.on_failure:
            record = {"functionArn": function, "condition": "RetriesExhausted"}
            self._world.queues.send(known.on_failure, json.dumps({"requestContext": record, "requestPayload": event}))

    def later(self, seconds: float, function: str, event: Json, tries: int = 0, since: float | None = None) -> Handle:
        """As ``send``, after so many seconds."""
        self.busy += 1

        def begin() -> None:
            self.busy -= 1
            self.send(function, event, tries, since)

        return self._world.loop.call_later(seconds, begin)


def _nobody(_outcome: Outcome) -> None:
    """Nobody hears of it."""
