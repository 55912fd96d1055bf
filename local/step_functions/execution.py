"""One execution of a state machine, walked with AWS's semantics.

Every execution is a coroutine on one asyncio loop: a wait is a timer, not a sleeping thread. Nothing here knows the local
stack: what a task does comes in as `Services`, so tests walk machines without one.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from local.common import Json, iso
from local.fastpath import fast_json
from local.lambda_runtime.answers import Answer
from local.step_functions import callbacks
from local.step_functions.callbacks import Callback, Deadlines
from local.step_functions.choices import holds, is_number, timestamp
from local.step_functions.documents import Doc, StateError, dumps
from local.step_functions.errors import TIMEOUTS, error_matches, lambda_error
from local.step_functions.history import History
from local.step_functions.machines import CALLBACK, LAMBDA, RESOURCES, START_EXECUTION, Machine
from local.step_functions.paths import place, resolve
from local.step_functions.templates import evaluate, fill

logger = logging.getLogger(__name__)


class Services(Protocol):
    """What the walker needs of the world; `now` is the wall clock, the timers are the running loop's."""

    region: str
    callbacks: dict[str, Callback]

    def now(self) -> float: ...

    def invoke(self, function: str, payload: Json) -> asyncio.Future[Answer]: ...

    def start_execution(self, request: dict[str, Json]) -> dict[str, Json]: ...

    def changed(self, execution: Execution) -> None: ...


@dataclass(eq=False)
class Execution:
    arn: str
    name: str
    machine: Machine
    input: str
    services: Services
    rng: Callable[[float, float], float] = random.uniform
    status: str = "RUNNING"
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    stopped_at: float | None = None
    history: History = field(default_factory=History)
    task: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.started_at = self.services.now()
        self._add("ExecutionStarted", self.input, self.machine.role_arn)
        self._context: dict[str, Json] = {
            "Execution": {
                "Id": self.arn,
                "Name": self.name,
                "Input": fast_json.loads(self.input),
                "RoleArn": self.machine.role_arn,
                "StartTime": iso(self.started_at),
                "RedriveCount": 0,
            },
            "StateMachine": {"Id": self.machine.arn, "Name": self.machine.name},
        }

    def begin(self) -> None:
        """Starts walking; must be called on the loop."""
        self.task = asyncio.get_running_loop().create_task(self._run())

    def stop(self, error: str | None, cause: str | None) -> None:
        """StopExecution: over at once, and no Catch runs."""
        self._interrupt("ABORTED", "ExecutionAborted", error, cause)

    def _interrupt(self, status: str, event: str, error: str | None, cause: str | None) -> None:
        if self.status != "RUNNING":
            return
        self._finish(status, event, error, cause)
        if self.task is not None:
            self.task.cancel()

    def _add(self, kind: str, *details: Json) -> None:
        self.history.add(kind, self.services.now(), *details)

    def _finish(self, status: str, event: str, error: str | None, cause: str | None, output: str | None = None) -> None:
        self._add(event, *([output] if status == "SUCCEEDED" else [error, cause]))
        self.error, self.cause, self.output = error, cause, output
        self.stopped_at = self.services.now()
        self.status = status
        self.services.changed(self)

    async def _run(self) -> None:
        limit = self.machine.definition.get("TimeoutSeconds")
        loop = asyncio.get_running_loop()
        timer = loop.call_later(limit, self._interrupt, "TIMED_OUT", "ExecutionTimedOut", None, None) if limit else None
        try:
            output = await self._walk()
            self._finish("SUCCEEDED", "ExecutionSucceeded", None, None, output.text)
        except StateError as failure:
            self._finish("FAILED", "ExecutionFailed", failure.error, failure.cause)
        except asyncio.CancelledError:
            if self.status == "RUNNING":  # the loop is closing, the execution was not stopped
                raise
        except Exception as bug:  # a fault of the interpreter itself: the execution must not hang forever
            logger.exception("execution %s", self.arn)
            self._finish("FAILED", "ExecutionFailed", "States.Runtime", str(bug))
        finally:
            if timer:
                timer.cancel()

    async def _walk(self) -> Doc:
        states = self.machine.definition["States"]
        doc = Doc(self._context["Execution"]["Input"], self.input)
        name: str | None = self.machine.definition["StartAt"]
        while name is not None:
            state = states.get(name)
            if state is None:
                raise StateError("States.Runtime", f"There is no state named '{name}'.")
            self._context["State"] = {"Name": name, "EnteredTime": iso(self.services.now()), "RetryCount": 0}
            self._add(f"{state['Type']}StateEntered", name, doc.text)
            following, doc = await self._pass_through(state, doc)
            self._add(f"{state['Type']}StateExited", name, doc.text)
            name = following
        return doc

    async def _pass_through(self, state: dict[str, Json], doc: Doc) -> tuple[str | None, Doc]:
        match state["Type"]:
            case "Task":
                return await self._task(state, doc)
            case "Choice":
                return self._choice(state, doc)
            case "Wait":
                await self._wait(state, doc)
                return _following(state), self._leave(state, self._input(state, doc))
            case "Pass":
                return _following(state), self._pass(state, doc)
            case "Succeed":
                return None, self._leave(state, self._input(state, doc))
            case "Fail":
                raise StateError(*(self._fail_text(state, word, doc) for word in ("Error", "Cause")))
            case other:
                raise StateError("States.Runtime", f"State type {other} is not supported here.")

    # -- input and output

    def _input(self, state: dict[str, Json], doc: Doc) -> Doc:
        return self._select(state.get("InputPath", "$"), doc)

    def _leave(self, state: dict[str, Json], doc: Doc) -> Doc:
        return self._select(state.get("OutputPath", "$"), doc)

    def _select(self, path: str | None, doc: Doc) -> Doc:
        if path == "$":
            return doc
        return Doc.of({} if path is None else resolve(path, doc.value, self._context))

    def _result(self, state: dict[str, Json], doc: Doc, result: Json) -> Doc:
        if "ResultSelector" in state:
            result = fill(state["ResultSelector"], result, self._context)
        placed = place(state.get("ResultPath", "$"), doc.value, result)
        return self._leave(state, doc if placed is doc.value else Doc.of(placed))

    # -- the simple states

    def _pass(self, state: dict[str, Json], doc: Doc) -> Doc:
        result = self._input(state, doc).value
        if "Parameters" in state:
            result = fill(state["Parameters"], result, self._context)
        return self._result(state, doc, state.get("Result", result))

    def _fail_text(self, state: dict[str, Json], word: str, doc: Doc) -> str:
        if f"{word}Path" in state:
            return str(evaluate(state[f"{word}Path"], doc.value, self._context))
        return str(state.get(word, ""))

    def _choice(self, state: dict[str, Json], doc: Doc) -> tuple[str | None, Doc]:
        effective = self._input(state, doc)
        for rule in state["Choices"]:
            if holds(rule, effective.value, self._context):
                return str(rule["Next"]), self._leave(state, effective)
        if "Default" not in state:
            raise StateError("States.NoChoiceMatched", "No choice matched and there is no Default.")
        return str(state["Default"]), self._leave(state, effective)

    async def _wait(self, state: dict[str, Json], doc: Doc) -> None:
        seconds = self._wait_seconds(state, self._input(state, doc).value)
        if seconds > 0:  # a wait of 0 does not even give the turn away
            await asyncio.sleep(seconds)

    def _wait_seconds(self, state: dict[str, Json], value: Json) -> float:
        if "Seconds" in state or "SecondsPath" in state:
            seconds = state["Seconds"] if "Seconds" in state else resolve(state["SecondsPath"], value, self._context)
            if not is_number(seconds) or seconds < 0:
                raise StateError("States.Runtime", f"A wait needs a number of seconds, not {dumps(seconds)}.")
            return float(seconds)
        text = state["Timestamp"] if "Timestamp" in state else resolve(state["TimestampPath"], value, self._context)
        moment = timestamp(text)
        if moment is None:
            raise StateError("States.Runtime", f"A wait needs a timestamp, not {dumps(text)}.")
        return moment.timestamp() - self.services.now()

    # -- tasks

    async def _task(self, state: dict[str, Json], doc: Doc) -> tuple[str | None, Doc]:
        tries: dict[int, int] = {}
        while True:
            try:
                return _following(state), self._result(state, doc, await self._attempt(state, doc))
            except StateError as failure:
                delay = self._retry_delay(state, failure.error, tries)
                if delay is None:
                    return self._caught(state, doc, failure)
            self._context["State"]["RetryCount"] += 1
            if delay > 0:
                await asyncio.sleep(delay)

    def _retry_delay(self, state: dict[str, Json], error: str, tries: dict[int, int]) -> float | None:
        """How long to wait before the next attempt; the first retrier that matches decides."""
        for index, retrier in enumerate(state.get("Retry", ())):
            if not error_matches(retrier["ErrorEquals"], error):
                continue
            count = tries.get(index, 0)
            if count >= retrier.get("MaxAttempts", 3):
                return None
            tries[index] = count + 1
            delay = float(retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** count)
            delay = min(delay, retrier.get("MaxDelaySeconds", delay))
            return self.rng(0, delay) if retrier.get("JitterStrategy") == "FULL" else delay
        return None

    def _caught(self, state: dict[str, Json], doc: Doc, failure: StateError) -> tuple[str | None, Doc]:
        for catcher in state.get("Catch", ()):
            if error_matches(catcher["ErrorEquals"], failure.error):
                result = {"Error": failure.error, "Cause": failure.cause}
                return str(catcher["Next"]), Doc.of(place(catcher.get("ResultPath", "$"), doc.value, result))
        raise failure

    async def _attempt(self, state: dict[str, Json], doc: Doc) -> Json:
        kind = RESOURCES[state["Resource"]]
        settled: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        token = callbacks.new_token(self.arn) if state["Resource"] == CALLBACK else None
        self._context["Task"] = {"Token": token} if token else {}
        request = self._input(state, doc).value
        if "Parameters" in state:
            request = fill(state["Parameters"], request, self._context)
        timeout = self._seconds(state, "Timeout", doc)
        heartbeat = self._seconds(state, "Heartbeat", doc)

        def unanswered() -> bool:
            # The first to take the token decides: the time-out never replaces an accepted result.
            return token is None or self.services.callbacks.pop(token, None) is not None

        with Deadlines(settled, timeout, heartbeat, unanswered) as deadlines:
            self._add("TaskScheduled", *kind, self.services.region, dumps(request), timeout, heartbeat)
            if token:
                self.services.callbacks[token] = Callback(settled, deadlines.beat)
            self._add("TaskStarted", *kind)
            try:
                self._carry_out(state["Resource"], request, settled)
                result = await settled
                self._add("TaskSucceeded", *kind, Doc.of(result).text)
                return result
            except StateError as failure:
                event = "TaskTimedOut" if failure.error in TIMEOUTS else "TaskFailed"
                self._add(event, *kind, failure.error, failure.cause)
                raise
            finally:
                if token:
                    self.services.callbacks.pop(token, None)

    def _seconds(self, state: dict[str, Json], word: str, doc: Doc) -> float | None:
        if f"{word}SecondsPath" not in state:
            return state.get(f"{word}Seconds")
        seconds = resolve(state[f"{word}SecondsPath"], doc.value, self._context)
        if not is_number(seconds) or seconds <= 0:
            raise StateError("States.Runtime", f"{word}SecondsPath needs a positive number, not {dumps(seconds)}.")
        return float(seconds)

    def _carry_out(self, resource: str, request: dict[str, Json], settled: asyncio.Future[Json]) -> None:
        if resource == START_EXECUTION:
            settled.set_result(self.services.start_execution(request))
            return

        def answered(invocation: asyncio.Future[Answer]) -> None:
            if settled.done() or invocation.cancelled():
                return
            try:
                answer = invocation.result()
            except StateError as refused:
                settled.set_exception(refused)
                return
            if answer.failed:
                settled.set_exception(lambda_error(answer.payload))
                return
            output = {"ExecutedVersion": "$LATEST", "Payload": answer.payload, "StatusCode": 200}
            if resource == LAMBDA:
                settled.set_result(output)
            else:
                self._add("TaskSubmitted", *RESOURCES[resource], dumps(output))

        self.services.invoke(request["FunctionName"], request.get("Payload", {})).add_done_callback(answered)


def _following(state: dict[str, Json]) -> str | None:
    return None if state.get("End") else str(state["Next"])
