"""Amazon States Language, as much of it as our machines use, walked with AWS's semantics.

Every execution is a coroutine on one asyncio loop: a wait is a timer, not a sleeping thread. Nothing here
knows the local stack: what a task does comes in as `Services`, so tests walk machines without one.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
import logging
import random
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

from local.fastpath import fast_json

Json = Any  # a JSON value: the recursive type reads worse than it protects

logger = logging.getLogger(__name__)

MAX_PAYLOAD = 262_144  # AWS's limit of a state's input or output, in UTF-8 bytes
MISSING: Any = object()


class StateError(Exception):
    """A named error, as Retry and Catch see it."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


def dumps(value: Json) -> str:
    return fast_json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def iso(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Doc:
    """A JSON value beside its text, so that what passes through unchanged is serialised once."""

    value: Json
    text: str

    @classmethod
    def of(cls, value: Json) -> Doc:
        text = dumps(value)
        if len(text) > MAX_PAYLOAD // 4 and len(text.encode()) > MAX_PAYLOAD:
            raise StateError("States.DataLimitExceeded", "The state's result is larger than the limit of 262144 bytes.")
        return cls(value, text)


# --- Paths, templates and intrinsic functions ---------------------------------------------------------------

_STEP = re.compile(r"\.([^.\[\]'\"*?@() ]+)|\[(-?\d+)\]|\[(?:'([^']+)'|\"([^\"]+)\")\]")


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    position = 1
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise StateError("States.Runtime", f"Invalid path '{path}': only reference paths are supported.")
        name, index, quoted, double = match.groups()
        steps.append(int(index) if index is not None else name or quoted or double)
        position = match.end()
    return tuple(steps)


def find(path: str, value: Json, context: Json) -> Json:
    """What the path points at, or MISSING: null is a value, absence is not."""
    if path.startswith("$$"):
        value, path = context, path[1:]
    for step in _steps(path):
        in_object = isinstance(step, str) and isinstance(value, dict) and step in value
        if not in_object and not (isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value)):
            return MISSING
        value = value[step]
    return value


def resolve(path: str, value: Json, context: Json) -> Json:
    found = find(path, value, context)
    if found is MISSING:
        raise StateError("States.Runtime", f"The JSONPath '{path}' could not be found in the input.")
    return found


def fill(template: Json, value: Json, context: Json) -> Json:
    """A payload template with every `name.$` replaced by what it points at."""
    if isinstance(template, dict):
        return {
            key.removesuffix(".$") if key.endswith(".$") else key: _evaluate(item, value, context)
            if key.endswith(".$")
            else fill(item, value, context)
            for key, item in template.items()
        }
    if isinstance(template, list):
        return [fill(item, value, context) for item in template]
    return template


def _evaluate(expression: Json, value: Json, context: Json) -> Json:
    if not isinstance(expression, str):
        raise StateError("States.Runtime", f"A field ending in '.$' must be a string, not {dumps(expression)}.")
    if expression.startswith("States."):
        result, end = _call(expression, 0, value, context)
        if end != len(expression):
            raise StateError("States.Runtime", f"Invalid intrinsic function: {expression}")
        return result
    return resolve(expression, value, context)


_CALL = re.compile(r"\s*(States\.\w+)\(\s*")
_TEXT = re.compile(r"\s*'((?:\\.|[^'\\])*)'\s*")
_BARE = re.compile(r"\s*([^,)\s]+)\s*")


def _call(text: str, position: int, value: Json, context: Json) -> tuple[Json, int]:
    head = _CALL.match(text, position)
    function = _INTRINSICS.get(head.group(1)) if head else None
    if head is None or function is None:
        raise StateError("States.Runtime", f"Not an intrinsic function known here: {text[position:]}")
    arguments: list[Json] = []
    position = head.end()
    while not text.startswith(")", position):
        argument, position = _argument(text, position, value, context)
        arguments.append(argument)
        position += text.startswith(",", position)
    try:
        return function(*arguments), position + 1
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as reason:
        raise StateError("States.IntrinsicFailure", f"{head.group(1)} failed: {reason}") from reason


def _argument(text: str, position: int, value: Json, context: Json) -> tuple[Json, int]:
    if _CALL.match(text, position):
        return _call(text, position, value, context)
    if quoted := _TEXT.match(text, position):
        return quoted.group(1), quoted.end()
    bare = _BARE.match(text, position)
    if bare is None:
        raise StateError("States.Runtime", f"Invalid intrinsic function: {text}")
    word = bare.group(1)
    if word.startswith("$"):
        return resolve(word, value, context), bare.end()
    try:
        return json.loads(word), bare.end()
    except ValueError as reason:
        raise StateError("States.Runtime", f"Invalid argument {word} in {text}") from reason


def _format(template: str, *arguments: Json) -> str:
    values = iter(arguments)

    def piece(match: re.Match[str]) -> str:
        if match.group() != "{}":
            return match.group()[1:]
        item = next(values, MISSING)
        if item is MISSING:
            raise ValueError("too few arguments")
        return item if isinstance(item, str) else dumps(item)

    return re.sub(r"\\.|\{\}", piece, template)


_INTRINSICS: dict[str, Callable[..., Json]] = {
    "States.Format": _format,
    "States.JsonToString": dumps,
    "States.StringToJson": json.loads,
    "States.JsonMerge": lambda first, second, _deep=False: {**first, **second},
    "States.Array": lambda *items: list(items),
    "States.ArrayGetItem": lambda items, index: items[index],
    "States.ArrayLength": len,
    "States.ArrayContains": lambda items, item: item in items,
    "States.MathAdd": lambda first, second: int(first) + int(second),
    "States.UUID": lambda: str(uuid.uuid4()),
}


def place(result_path: str | None, raw: Json, result: Json) -> Json:
    """The raw input with the result put where ResultPath says; inputs are shared, so the way there is copied."""
    if result_path is None:
        return raw
    steps = _steps(result_path)
    if not steps:
        return result
    root = dict(raw) if isinstance(raw, dict) else None
    node = root
    for step in steps[:-1]:
        if not isinstance(node, dict) or not isinstance(step, str):
            break
        child = node.get(step, {})
        node[step] = dict(child) if isinstance(child, dict) else None
        node = node[step]
    if not isinstance(node, dict) or not isinstance(steps[-1], str):
        raise StateError("States.ResultPathMatchFailure", f"ResultPath '{result_path}' does not fit the input.")
    node[steps[-1]] = result
    return root


# --- Choice -------------------------------------------------------------------------------------------------

_COMPARISON = re.compile(
    r"(String|Numeric|Timestamp|Boolean)(Equals|LessThan|GreaterThan|LessThanEquals|GreaterThanEquals)(Path)?"
)
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda left, right: bool(left == right),
    "LessThan": lambda left, right: bool(left < right),
    "GreaterThan": lambda left, right: bool(left > right),
    "LessThanEquals": lambda left, right: bool(left <= right),
    "GreaterThanEquals": lambda left, right: bool(left >= right),
}


def _timestamp(value: Json) -> datetime | None:
    if not isinstance(value, str):
        return None
    with contextlib.suppress(ValueError):
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else None
    return None


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_KINDS: dict[str, Callable[[Json], Json]] = {
    "String": lambda value: value if isinstance(value, str) else None,
    "Numeric": lambda value: value if _is_number(value) else None,
    "Boolean": lambda value: value if isinstance(value, bool) else None,
    "Timestamp": _timestamp,
}
_TYPE_TESTS: dict[str, Callable[[Json], bool]] = {
    "IsNull": lambda value: value is None,
    "IsNumeric": _is_number,
    "IsString": lambda value: isinstance(value, str),
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsTimestamp": lambda value: _timestamp(value) is not None,
}


def holds(rule: Mapping[str, Json], value: Json, context: Json) -> bool:
    if "And" in rule:
        return all(holds(part, value, context) for part in rule["And"])
    if "Or" in rule:
        return any(holds(part, value, context) for part in rule["Or"])
    if "Not" in rule:
        return not holds(rule["Not"], value, context)
    return _test(rule, value, context)


def _test(rule: Mapping[str, Json], value: Json, context: Json) -> bool:
    if "IsPresent" in rule:
        return bool((find(rule["Variable"], value, context) is not MISSING) is rule["IsPresent"])
    operand = resolve(rule["Variable"], value, context)
    operator = next(key for key in rule if key not in {"Variable", "Next", "Comment"})
    if operator in _TYPE_TESTS:
        return bool(_TYPE_TESTS[operator](operand) is rule[operator])
    if operator == "StringMatches":
        return isinstance(operand, str) and _matches(rule[operator], operand)
    return _compares(operator, operand, rule[operator], value, context)


def _matches(pattern: str, text: str) -> bool:
    pieces = re.split(r"(\\[*\\]|\*)", pattern)
    expression = "".join(".*" if piece == "*" else re.escape(piece.removeprefix("\\")) for piece in pieces)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _compares(operator: str, operand: Json, expected: Json, value: Json, context: Json) -> bool:
    match = _COMPARISON.fullmatch(operator)
    if match is None:
        raise StateError("States.Runtime", f"Unknown comparison operator {operator}")
    kind, order, by_path = match.groups()
    left = _KINDS[kind](operand)
    right = _KINDS[kind](resolve(expected, value, context) if by_path else expected)
    return left is not None and right is not None and _ORDERS[order](left, right)


# --- History ------------------------------------------------------------------------------------------------

_RESOURCE = ("resourceType", "resource")
_FIELDS: dict[str, tuple[str, ...]] = {
    "ExecutionStarted": ("input", "roleArn"),
    "ExecutionSucceeded": ("output",),
    "ExecutionFailed": ("error", "cause"),
    "ExecutionAborted": ("error", "cause"),
    "ExecutionTimedOut": ("error", "cause"),
    "TaskScheduled": (*_RESOURCE, "region", "parameters", "timeoutInSeconds", "heartbeatInSeconds"),
    "TaskStarted": _RESOURCE,
    "TaskSubmitted": (*_RESOURCE, "output"),
    "TaskSucceeded": (*_RESOURCE, "output"),
    "TaskFailed": (*_RESOURCE, "error", "cause"),
    "TaskTimedOut": (*_RESOURCE, "error", "cause"),
    "stateEntered": ("name", "input"),
    "stateExited": ("name", "output"),
}


class History:
    """The events of one execution, kept as tuples (a hundredth of a megabyte an order) and written out when read."""

    __slots__ = ("_events",)

    def __init__(self) -> None:
        self._events: list[tuple[str, float, tuple[Json, ...]]] = []

    def add(self, kind: str, when: float, *details: Json) -> None:
        self._events.append((kind, when, details))

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[dict[str, Json]]:
        for number, (kind, when, details) in enumerate(self._events, start=1):
            yield {
                "timestamp": iso(when),
                "type": kind,
                "id": number,
                "previousEventId": number - 1,
                **_details(kind, details),
            }

    def transitions(self) -> int:
        """What AWS bills: the start, each state entered, and each retry of a task."""
        kinds = [kind for kind, _, _ in self._events]
        entered = sum(kind.endswith("StateEntered") for kind in kinds)
        tasks = kinds.count("TaskStateEntered")
        return 1 + entered + max(0, kinds.count("TaskScheduled") - tasks)


def _details(kind: str, values: tuple[Json, ...]) -> dict[str, Json]:
    shape = "stateEntered" if kind.endswith("StateEntered") else "stateExited" if kind.endswith("StateExited") else kind
    details: dict[str, Json] = {}
    for name, value in zip(_FIELDS[shape], values, strict=True):
        if value is None:
            continue
        details[name] = value
        if name in {"input", "output"}:
            details[f"{name}Details"] = {"truncated": False}
    return {f"{shape[0].lower()}{shape[1:]}EventDetails": details}


# --- What a machine can reach -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What a Lambda function answered; `failed` is the X-Amz-Function-Error header."""

    payload: Json
    failed: bool = False

    def told(self) -> str:
        """A failure in one line."""
        known = self.payload if isinstance(self.payload, dict) else {}
        return f"{known.get('errorType')}: {known.get('errorMessage')}"


class Services(Protocol):
    """What the walker needs of the world; `now` is the wall clock, the timers are the running loop's."""

    region: str
    callbacks: dict[str, Callback]

    def now(self) -> float: ...

    def invoke(self, function: str, payload: Json) -> asyncio.Future[Answer]: ...

    def start_execution(self, request: dict[str, Json]) -> dict[str, Json]: ...

    def changed(self, execution: Execution) -> None: ...


@dataclass(frozen=True, slots=True)
class Machine:
    arn: str
    name: str
    role_arn: str
    definition: dict[str, Json]


LAMBDA = "arn:aws:states:::lambda:invoke"
CALLBACK = "arn:aws:states:::lambda:invoke.waitForTaskToken"
START = "arn:aws:states:::states:startExecution"
_RESOURCES = {
    LAMBDA: ("lambda", "invoke"),
    CALLBACK: ("lambda", "invoke.waitForTaskToken"),
    START: ("states", "startExecution"),
}
_TYPES = {"Task", "Choice", "Wait", "Pass", "Succeed", "Fail"}


def unsupported(definition: Mapping[str, Json]) -> list[str]:
    """What of the definition this walker cannot run; a machine is refused at start, not half-run."""
    found = [] if definition.get("QueryLanguage", "JSONPath") == "JSONPath" else ["QueryLanguage JSONata"]
    for name, state in definition["States"].items():
        if state["Type"] not in _TYPES:
            found.append(f"{name}: Type {state['Type']}")
        if state["Type"] == "Task" and state["Resource"] not in _RESOURCES:
            found.append(f"{name}: Resource {state['Resource']}")
        found += [f"{name}: {word}" for word in ("QueryLanguage", "Assign", "Arguments", "Output") if word in state]
    return found


# --- One execution ------------------------------------------------------------------------------------------

FATAL = {"States.Runtime"}  # neither retried nor caught, whatever ErrorEquals says
UNCAUGHT_BY_ALL = {"States.Runtime", "States.DataLimitExceeded"}
TIMEOUTS = {"States.Timeout", "States.HeartbeatTimeout"}


def error_matches(names: list[str], error: str) -> bool:
    if error in FATAL:
        return False
    if error in names or ("States.Timeout" in names and error in TIMEOUTS):
        return True
    if "States.TaskFailed" in names and error not in TIMEOUTS | UNCAUGHT_BY_ALL:
        return True
    return "States.ALL" in names and error not in UNCAUGHT_BY_ALL


@dataclass(eq=False, slots=True)
class Callback:
    """The task behind a token. Whoever settles it first wins; the others' tokens are stale."""

    settled: asyncio.Future[Json]
    beat: Callable[[], None]

    def succeed(self, output: Json) -> None:
        if not self.settled.done():
            self.settled.set_result(output)

    def fail(self, error: str, cause: str) -> None:
        if not self.settled.done():
            self.settled.set_exception(StateError(error, cause))


def new_token(execution_arn: str) -> str:
    return base64.urlsafe_b64encode(f"{execution_arn}\n{uuid.uuid4()}".encode()).decode()


def token_owner(token: str) -> str | None:
    """The execution a token was made for; None when it is no token of ours."""
    try:
        arn, _, _ = base64.urlsafe_b64decode(token.encode()).decode().partition("\n")
    except (binascii.Error, ValueError):
        return None
    return arn if arn.startswith("arn:aws:states:") else None


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
            if self.status == "RUNNING":  # the loop is closing, nobody stopped the execution
                raise
        except Exception as bug:  # a fault of the interpreter itself: the execution must not hang for ever
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
            return str(_evaluate(state[f"{word}Path"], doc.value, self._context))
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
            if not _is_number(seconds) or seconds < 0:
                raise StateError("States.Runtime", f"A wait needs a number of seconds, not {dumps(seconds)}.")
            return float(seconds)
        text = state["Timestamp"] if "Timestamp" in state else resolve(state["TimestampPath"], value, self._context)
        moment = _timestamp(text)
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
        kind = _RESOURCES[state["Resource"]]
        settled: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        token = new_token(self.arn) if state["Resource"] == CALLBACK else None
        self._context["Task"] = {"Token": token} if token else {}
        request = self._input(state, doc).value
        if "Parameters" in state:
            request = fill(state["Parameters"], request, self._context)
        timeout = self._seconds(state, "Timeout", doc)
        heartbeat = self._seconds(state, "Heartbeat", doc)

        def unanswered() -> bool:
            # Whoever takes the token first decides: an answer already accepted is never overtaken by the clock.
            return token is None or self.services.callbacks.pop(token, None) is not None

        with _Deadlines(settled, timeout, heartbeat, unanswered) as deadlines:
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
        if not _is_number(seconds) or seconds <= 0:
            raise StateError("States.Runtime", f"{word}SecondsPath needs a positive number, not {dumps(seconds)}.")
        return float(seconds)

    def _carry_out(self, resource: str, request: dict[str, Json], settled: asyncio.Future[Json]) -> None:
        if resource == START:
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
                self._add("TaskSubmitted", *_RESOURCES[resource], dumps(output))

        self.services.invoke(request["FunctionName"], request.get("Payload", {})).add_done_callback(answered)


def _following(state: dict[str, Json]) -> str | None:
    return None if state.get("End") else str(state["Next"])


def lambda_error(payload: Json) -> StateError:
    """A function's failure is named by its exception's class, and its cause is the error document."""
    name = payload.get("errorType") if isinstance(payload, dict) else None
    return StateError(str(name or "Lambda.Unknown"), dumps(payload))


class _Deadlines:
    """The time-out and the heartbeat of one attempt."""

    def __init__(
        self,
        settled: asyncio.Future[Json],
        timeout: float | None,
        heartbeat: float | None,
        unanswered: Callable[[], bool],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._settled = settled
        self._unanswered = unanswered
        self._heartbeat = heartbeat
        self._timer = self._loop.call_later(timeout, self._expire, "States.Timeout") if timeout else None
        self._pulse: asyncio.TimerHandle | None = None

    def __enter__(self) -> _Deadlines:
        self.beat()
        return self

    def __exit__(self, *_: object) -> None:
        for timer in (self._timer, self._pulse):
            if timer:
                timer.cancel()

    def beat(self) -> None:
        if self._heartbeat is None or self._settled.done():
            return
        if self._pulse:
            self._pulse.cancel()
        self._pulse = self._loop.call_later(self._heartbeat, self._expire, "States.HeartbeatTimeout")

    def _expire(self, error: str) -> None:
        if not self._settled.done() and self._unanswered():
            self._settled.set_exception(StateError(error))
