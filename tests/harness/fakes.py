"""One fake for each service that the product or an operator calls: Step Functions, EventBridge and Lambda."""

import io
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

Json = Any


class FakeStepFunctions:
    """Executions as the service keeps them: names are taken once, tokens are answered once, what ended stays ended."""

    def __init__(self) -> None:
        self.executions: dict[str, dict[str, Any]] = {}
        self.waiting: set[str] = set()
        self.answers: dict[str, Json] = {}
        self.breaks: Exception | None = None
        self.unseen: set[str] = set()
        """Executions that were started too short a time ago to be described: reading is eventually consistent."""
        self.described = 0
        self.redriven: list[str] = []

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002, N803
        self._break()
        arn = execution_arn(stateMachineArn, name)
        known = self.executions.get(arn)
        if known and not (known["status"] == "RUNNING" and known["input"] == input):
            raise refusal("ExecutionAlreadyExists", "StartExecution")
        self.executions[arn] = {"status": "RUNNING", "input": input, "name": name, "arn": arn}
        return {"executionArn": arn}

    def stop_execution(self, *, executionArn: str, error: str, cause: str) -> dict[str, Any]:  # noqa: N803
        self._break()
        if executionArn not in self.executions:
            raise refusal("ExecutionDoesNotExist", "StopExecution")
        if self.executions[executionArn]["status"] == "RUNNING":
            self.end(executionArn, "ABORTED", error)
            self.executions[executionArn]["cause"] = cause
        return {}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        self._break()
        self.described += 1
        if executionArn not in self.executions or executionArn in self.unseen:
            raise refusal("ExecutionDoesNotExist", "DescribeExecution")
        known = {"startDate": datetime(2026, 11, 20, tzinfo=UTC), "redriveStatus": "REDRIVABLE"}
        return self.executions[executionArn] | known

    def describe_state_machine_for_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        return {"definition": json.dumps({"StartAt": "Reserve stock", "States": {}})}

    def get_paginator(self, name: str) -> Any:
        return SimpleNamespace(paginate=lambda **request: [getattr(self, name)(**request)])

    def get_execution_history(self, *, executionArn: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        scheduled = {"Payload": {"order_id": "order-1", "task_token": "secret-token"}}
        details = {"parameters": json.dumps(scheduled), "resource": "invoke.waitForTaskToken"}
        event = {"id": 1, "type": "TaskScheduled", "taskScheduledEventDetails": details}
        return {"events": [event | {"timestamp": datetime(2026, 11, 20, tzinfo=UTC)}]}

    def send_task_success(self, *, taskToken: str, output: str) -> dict[str, Any]:  # noqa: N803
        return self._answer(taskToken, "SendTaskSuccess", json.loads(output))

    def send_task_failure(self, *, taskToken: str, error: str, cause: str) -> dict[str, Any]:  # noqa: N803
        return self._answer(taskToken, "SendTaskFailure", (error, cause))

    # --- what operators call ---

    def list_executions(self, *, stateMachineArn: str, statusFilter: str) -> dict[str, Any]:  # noqa: N803
        prefix = execution_arn(stateMachineArn, "")
        found = [(arn, execution) for arn, execution in self.executions.items() if arn.startswith(prefix)]
        named = [{"executionArn": arn, "name": one["name"]} for arn, one in found if one["status"] == statusFilter]
        return {"executions": named}

    def redrive_execution(self, *, executionArn: str) -> None:  # noqa: N803
        self.executions[executionArn] |= {"status": "RUNNING"}
        self.redriven.append(executionArn)

    def _answer(self, token: str, call: str, said: Json) -> dict[str, Any]:
        self._break()
        if token not in self.waiting:
            raise refusal("TaskTimedOut" if token in self.answers else "InvalidToken", call)
        self.waiting.discard(token)
        self.answers[token] = said
        return {}

    def _break(self) -> None:
        if self.breaks:
            raise self.breaks

    # --- what tests do ---

    def end(self, arn: str, status: str, error: str | None = None) -> None:
        self.executions[arn] |= {"status": status} | ({"error": error} if error else {})

    def lose(self, arn: str) -> None:
        del self.executions[arn]

    def running(self) -> list[str]:
        return sorted(
            arn.rpartition(":")[0].rpartition("-")[0].rpartition("-")[2] + " " + execution["name"]
            for arn, execution in self.executions.items()
            if execution["status"] == "RUNNING"
        )

    def input_of(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.executions[arn]["input"])
        return found


def execution_arn(machine_arn: str, name: str) -> str:
    """What an execution of the machine is called."""
    return f"{machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


def refusal(code: str, call: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, call)


def throttled(call: str = "UpdateItem") -> ClientError:
    return refusal("ThrottlingException", call)


@dataclass
class FakeBus:
    """Takes events as they come; a call that it is told to refuse takes all but the first."""

    taken: list[dict[str, Any]] = field(default_factory=list)
    refuses: int = 0

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        refused = Entries[:1] if self.refuses else []
        self.refuses = max(0, self.refuses - 1)
        self.taken.extend(Entries[len(refused) :])
        return {"FailedEntryCount": len(refused), "Entries": [{"EventId": str(position)} for position in range(len(Entries))]}

    def details(self) -> list[dict[str, Any]]:
        return [json.loads(entry["Detail"]) for entry in self.taken]


class FakeLambda:
    """Notes what it is invoked with; gives each of its answers once."""

    def __init__(self, *answers: Json) -> None:
        self.answers = list(answers) or [{}]
        self.invoked: list[tuple[str, Json]] = []

    def invoke(
        self,
        *,
        FunctionName: str,  # noqa: N803
        Payload: str | bytes,  # noqa: N803
        InvocationType: str = "RequestResponse",  # noqa: N803
    ) -> dict[str, Any]:
        self.invoked.append((FunctionName, json.loads(Payload)))
        if InvocationType == "Event":
            return {}
        answer = self.answers.pop(0)
        failed = {"FunctionError": "Unhandled"} if "errorMessage" in answer else {}
        return {"Payload": io.BytesIO(json.dumps(answer).encode()), **failed}
