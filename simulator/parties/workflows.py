"""Step Functions: the product's machines, walked by the local stack's interpreter on virtual time.

Promised, and kept here (https://docs.aws.amazon.com/step-functions/latest/apireference/):
- StartExecution of a running name with the same input is the same execution; of any other known name it is refused
  (API_StartExecution.html); DescribeExecution follows later (API_DescribeExecution.html);
- StopExecution runs no Catch (API_StopExecution.html); a token is good once, while its task waits (API_SendTaskSuccess.html);
- an execution goes on with the definition that it began with; one that failed can be redriven from its failed state
  (step-functions/latest/dg/redrive-executions.html);
- that an execution has ended is reported by best effort (dg/eventbridge-integration.html).
"""

from __future__ import annotations

import asyncio
import json
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local.lambda_runtime.answers import Answer
from local.step_functions.callbacks import Callback
from local.step_functions.execution import Execution
from local.step_functions.machines import Machine, unsupported
from simulator import sdk
from simulator.functions import Outcome
from simulator.loop import START

if TYPE_CHECKING:
    from simulator.world import World

Json = Any

RUNNING = "RUNNING"
LAG_SECONDS = 30.0
LIFE_SECONDS, FIRST_SECONDS = 60.0, 2.0
"""When in its life an execution is struck, at most: half of them early, as unwindings are short."""
REDRIVE_SECONDS = 200.0
STALE = ("TaskTimedOut", "InvalidToken", "TaskDoesNotExist")


class Workflows:
    """The service: what the walker needs of the world, and the calls of the API."""

    region = "us-east-1"

    def __init__(self, world: World) -> None:
        self._world = world
        self.callbacks: dict[str, Callback] = {}
        self.executions: dict[str, Execution] = {}
        self._earlier: dict[str, Machine] = {}
        self._running = 0
        self._machines = {name: _machine(name, definition) for name, definition in world.wiring.machines.items()}
        operations = {
            "StartExecution": self._start,
            "StopExecution": self._stop,
            "DescribeExecution": self._describe,
            "SendTaskSuccess": self._succeed,
            "SendTaskFailure": self._fail,
        }
        world.services.update(operations)

    def idle(self) -> bool:
        """Whether no execution runs."""
        return self._running == 0

    # --- what the walker asks ---

    def now(self) -> float:
        return START + self._world.loop.now

    def invoke(self, function: str, payload: Json) -> asyncio.Future[Answer]:
        answered: asyncio.Future[Answer] = self._world.loop.create_future()

        def told(outcome: Outcome) -> None:
            if outcome.error:
                report = {"errorType": outcome.error, "errorMessage": outcome.words}
                answered.set_result(Answer(report, failed=True))
            else:
                answered.set_result(Answer(outcome.payload))

        self._world.functions.invoke(function, payload, told)
        return answered

    def start_execution(self, request: dict[str, Json]) -> dict[str, Json]:
        raise NotImplementedError(f"no machine starts another one: {request}")

    def changed(self, execution: Execution) -> None:
        """An execution has ended."""
        self._running -= 1
        world = self._world
        world.note(f"execution {execution.name} {execution.machine.name} {execution.status} {execution.error}")
        # What has ended is not walked again: its way is only of use to somebody who looks at it.
        if execution.status in ("FAILED", "TIMED_OUT", "ABORTED") and world.dice.happens(
            "execution redriven", execution.machine.name
        ):
            world.loop.call_later(world.dice.uniform(0, REDRIVE_SECONDS), self._redrive, execution)
        if not world.dice.happens("event lost", execution.machine.name):
            detail = {
                "executionArn": execution.arn,
                "stateMachineArn": execution.machine.arn,
                "name": execution.name,
                "status": execution.status,
                **({"error": execution.error} if execution.error else {}),
            }
            world.bus.put("aws.states", "Step Functions Execution Status Change", detail)

    # --- calls ---

    def _start(self, request: Json) -> Json:
        machines = self._first_machines() if self._world.releases.is_earlier() else self._machines
        machine = machines[request["stateMachineArn"].split(":")[6]]
        name = request["name"]
        arn = f"{machine.arn.replace(':stateMachine:', ':execution:')}:{name}"
        known = self.executions.get(arn)
        if known and not (known.status == RUNNING and json.loads(known.input) == json.loads(request["input"])):
            raise sdk.error("ExecutionAlreadyExists", "StartExecution")
        if known is None:
            self._begin(Execution(arn, name, machine, request["input"], self, self._world.dice.uniform))
            self._strike(arn)
        return {"executionArn": arn, "startDate": datetime.fromtimestamp(self.now(), UTC)}

    def _first_machines(self) -> dict[str, Machine]:
        if not self._earlier:
            first = self._world.wiring.first_machines
            self._earlier = {name: _machine(name, definition) for name, definition in first.items()}
        return self._earlier

    def _begin(self, execution: Execution) -> None:
        self.executions[execution.arn] = execution
        self._running += 1
        self._world.note(f"execution {execution.name} {execution.machine.name} begins {execution.input}")
        self._world.loop.call_soon(execution.begin)

    def _stop(self, request: Json) -> Json:
        execution = self._found(request["executionArn"], "StopExecution")
        if execution.status == RUNNING:
            execution.stop(request.get("error"), request.get("cause"))
        return {"stopDate": datetime.fromtimestamp(self.now(), UTC)}

    def _describe(self, request: Json) -> Json:
        execution = self._found(request["executionArn"], "DescribeExecution")
        status, error = execution.status, execution.error
        if self._world.dice.happens("describe late", execution.machine.name):
            if self.now() - execution.started_at < LAG_SECONDS:
                raise sdk.error("ExecutionDoesNotExist", "DescribeExecution")
            if execution.stopped_at and self.now() - execution.stopped_at < LAG_SECONDS:
                status, error = RUNNING, None
        started = datetime.fromtimestamp(execution.started_at, UTC)
        return {"status": status, "name": execution.name, "startDate": started} | ({"error": error} if error else {})

    def _found(self, arn: str, operation: str) -> Execution:
        if arn not in self.executions:
            raise sdk.error("ExecutionDoesNotExist", operation)
        return self.executions[arn]

    def _succeed(self, request: Json) -> Json:
        self._callback(request["taskToken"], "SendTaskSuccess").succeed(json.loads(request["output"]))
        return {}

    def _fail(self, request: Json) -> Json:
        self._callback(request["taskToken"], "SendTaskFailure").fail(request["error"], request["cause"])
        return {}

    def _callback(self, token: str, operation: str) -> Callback:
        found = self.callbacks.pop(token, None)
        if found is None:
            self._world.dice.met("stale token", self._world.running.function if self._world.running else "", operation)
            # Each token has its own way of being stale, each time it is sent.
            raise sdk.error(STALE[zlib.crc32(token.encode()) % len(STALE)], operation)
        return found

    # --- what strikes an execution ---

    def _strike(self, arn: str) -> None:
        dice, loop = self._world.dice, self._world.loop
        for fault in ("execution failed", "execution aborted"):
            if dice.happens(fault):
                life = LIFE_SECONDS if dice.likely(0.5) else FIRST_SECONDS
                loop.call_later(dice.uniform(0, life), self._struck, arn, fault)

    def _struck(self, arn: str, fault: str) -> None:
        execution = self.executions[arn]
        if execution.status != RUNNING:
            return
        self._world.dice.met(fault, str(execution._context.get("State", {}).get("Name", "")))
        if fault == "execution aborted":
            execution.stop("Operator", "Stopped by hand.")
        else:
            execution._interrupt("FAILED", "ExecutionFailed", "States.Runtime", "The history has too many events.")

    def _redrive(self, ended: Execution) -> None:
        """From the state that it ended in, with what that state was given."""
        entered = [details for kind, _, details in ended.history._events if kind.endswith("StateEntered")]
        if self.executions[ended.arn] is not ended or not entered:
            return
        state, given = entered[-1]
        definition = ended.machine.definition | {"StartAt": state}
        again = Machine(ended.machine.arn, ended.machine.name, ended.machine.role_arn, definition)
        execution = Execution(ended.arn, ended.name, again, ended.input, self, self._world.dice.uniform)
        execution._context["Execution"]["Input"] = json.loads(given)
        self._world.note(f"redriven {ended.name} {ended.machine.name} {state}")
        self._begin(execution)


def _machine(name: str, definition: dict[str, Json]) -> Machine:
    if refused := unsupported(definition):
        raise NotImplementedError(f"{name}: {refused}")
    arn = f"arn:aws:states:us-east-1:123456789012:stateMachine:{name}"
    return Machine(arn, name, "arn:aws:iam::123456789012:role/machine", definition)
