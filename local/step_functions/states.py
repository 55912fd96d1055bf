"""Step Functions' API for executions, on our own walker.

The engine keeps the machines and the wire; executions are started, stopped, answered and remembered here. The calls
come from its HTTP side and from handlers' threads alike, so whatever touches an execution is handed to the loop.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import lru_cache
from typing import Any

from local.common import REGION, Json, iso
from local.fastpath import fast_json
from local.lambda_runtime.answers import Answer
from local.lambda_runtime.lambdas import Lambdas, NoSuchFunction
from local.step_functions.callbacks import Callback, token_owner
from local.step_functions.documents import StateError
from local.step_functions.execution import Execution
from local.step_functions.machines import Machine

REMEMBERED = 2_000  # ended executions; AWS forgets them after 90 days, a laptop has to sooner
_NAME = re.compile(r"[^\s\x00-\x1f\x7f-\x9f<>{}\[\]?*\"#%\\^|~`$&,;:/]{1,80}")


class Refusal(Exception):
    """An answer of the API's that is not a success."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Record(Mapping[str, Any]):
    """An execution as the engine's own listing and describing calls expect to find it."""

    _FIELDS: Mapping[str, Callable[[Execution], Any]] = {
        "executionArn": lambda e: e.arn,
        "stateMachineArn": lambda e: e.machine.arn,
        "name": lambda e: e.name,
        "status": lambda e: e.status,
        "startDate": lambda e: iso(e.started_at),
        "stopDate": lambda e: e.stopped_at and iso(e.stopped_at),
        "input": lambda e: e.input,
        "output": lambda e: e.output,
        "error": lambda e: e.error,
        "cause": lambda e: e.cause,
        "events": lambda e: e.history,
    }
    __slots__ = ("execution",)

    def __init__(self, execution: Execution) -> None:
        self.execution = execution

    def __getitem__(self, key: str) -> Any:
        return self._FIELDS[key](self.execution)

    def __iter__(self) -> Iterator[str]:
        return iter(self._FIELDS)

    def __len__(self) -> int:
        return len(self._FIELDS)


@lru_cache(maxsize=32)
def _machine(arn: str, name: str, role_arn: str, definition: str) -> Machine:
    return Machine(arn, name, role_arn, json.loads(definition))


class StateMachines:
    """What the walker needs of the world, and the API calls that reach it."""

    region = REGION

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        lambdas: Lambdas,
        machines: Mapping[str, Mapping[str, Any]],
        executions: MutableMapping[str, Record],
        announce: Callable[[Record], None],
    ) -> None:
        self._loop = loop
        self._thread = threading.get_ident()
        self._lambdas = lambdas
        self._machines = machines
        self._executions = executions
        self._announce = announce
        self._ended: deque[str] = deque()
        self.callbacks: dict[str, Callback] = {}

    # -- what the walker asks for

    def now(self) -> float:
        return time.time()

    def invoke(self, function: str, payload: Json) -> asyncio.Future[Answer]:
        try:
            return self._lambdas.begin(function, payload)
        except NoSuchFunction as missing:
            refused: asyncio.Future[Answer] = self._loop.create_future()
            refused.set_exception(StateError("Lambda.ResourceNotFoundException", str(missing)))
            return refused

    def start_execution(self, request: dict[str, Json]) -> dict[str, Json]:
        given = request.get("Input", {})
        try:
            execution = self._start(
                {
                    "stateMachineArn": request["StateMachineArn"],
                    "name": request.get("Name"),
                    "input": given if isinstance(given, str) else json.dumps(given),
                }
            )
        except Refusal as refusal:
            raise StateError(f"StepFunctions.{refusal.code}Exception", refusal.message) from refusal
        return {"ExecutionArn": execution.arn, "StartDate": round(execution.started_at * 1000)}

    def changed(self, execution: Execution) -> None:
        self._announce(Record(execution))
        self._ended.append(execution.arn)
        while len(self._ended) > REMEMBERED:
            self._executions.pop(self._ended.popleft(), None)

    # -- the API

    def start(self, data: Mapping[str, Any]) -> dict[str, Any]:
        execution = self._start(data)
        return {"executionArn": execution.arn, "startDate": iso(execution.started_at)}

    def _start(self, data: Mapping[str, Any]) -> Execution:
        arn = data.get("stateMachineArn", "")
        described = self._machines.get(arn)
        if described is None:
            raise Refusal("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        name = data.get("name") or str(uuid.uuid4())
        if not _NAME.fullmatch(name):
            raise Refusal("InvalidName", f"Invalid Name: '{name}'")
        text = data.get("input") or "{}"
        try:
            fast_json.loads(text)
        except ValueError as invalid:
            raise Refusal("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{invalid}'") from invalid
        machine = _machine(arn, described["name"], described["roleArn"], described["definition"])
        execution = Execution(arn.replace(":stateMachine:", ":execution:") + f":{name}", name, machine, text, self)
        kept = self._executions.setdefault(execution.arn, Record(execution))
        if kept.execution is not execution:
            return self._same(kept.execution, text)
        self._announce(kept)
        self._on_loop(execution.begin)
        return execution

    @staticmethod
    def _same(running: Execution, text: str) -> Execution:
        """The same start again is answered as the first was, while that one runs."""
        if running.status == "RUNNING" and running.input == text:
            return running
        raise Refusal("ExecutionAlreadyExists", f"Execution Already Exists: '{running.arn}'")

    def stop(self, data: Mapping[str, Any]) -> dict[str, Any]:
        record = self._executions.get(data.get("executionArn", ""))
        if record is None:
            raise Refusal("ExecutionDoesNotExist", f"Execution Does Not Exist: '{data.get('executionArn')}'")
        self._on_loop(record.execution.stop, data.get("error"), data.get("cause"), wait=True)
        return {"stopDate": iso(record.execution.stopped_at or self.now())}

    def task_success(self, data: Mapping[str, Any]) -> dict[str, Any]:
        try:
            output = fast_json.loads(data.get("output", ""))
        except ValueError as invalid:
            raise Refusal("InvalidOutput", f"Invalid Output: '{invalid}'") from invalid
        self._on_loop(self._claim(data).succeed, output)
        return {}

    def task_failure(self, data: Mapping[str, Any]) -> dict[str, Any]:
        self._on_loop(self._claim(data).fail, data.get("error") or "States.TaskFailed", data.get("cause") or "")
        return {}

    def task_heartbeat(self, data: Mapping[str, Any]) -> dict[str, Any]:
        callback = self.callbacks.get(data.get("taskToken", ""))
        if callback is None:
            raise self._stale(data)
        self._on_loop(callback.beat)
        return {}

    def _claim(self, data: Mapping[str, Any]) -> Callback:
        callback = self.callbacks.pop(data.get("taskToken", ""), None)
        if callback is None:
            raise self._stale(data)
        return callback

    def _stale(self, data: Mapping[str, Any]) -> Refusal:
        owner = token_owner(data.get("taskToken", ""))
        if owner is None:
            return Refusal("InvalidToken", "Invalid Token: 'Invalid token'")
        if owner not in self._executions:
            return Refusal("TaskDoesNotExist", "Task does not exist")
        return Refusal("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")

    def _on_loop(self, change: Callable[..., None], *arguments: Any, wait: bool = False) -> None:
        if threading.get_ident() == self._thread:
            change(*arguments)
            return
        if not wait:
            self._loop.call_soon_threadsafe(change, *arguments)
            return

        async def changing() -> None:
            change(*arguments)

        asyncio.run_coroutine_threadsafe(changing(), self._loop).result()

    def close(self) -> None:
        for record in list(self._executions.values()):
            if record.execution.task is not None:
                record.execution.task.cancel()
