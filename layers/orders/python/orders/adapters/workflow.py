"""The only module that talks to Step Functions: starting, stopping and answering executions, and looking at one."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.exceptions import ConnectionError as NoConnection

from orders import settings
from orders.adapters import aws
from orders.domain import outcomes
from orders.domain.decisions.restarting import Fate
from orders.domain.decisions.unwinding import undo_from
from orders.domain.errors import WorkflowBusy
from orders.domain.identifiers import OrderId
from orders.domain.order import Order, Snapshot
from orders.domain.waits import Waits

Answer = TypeVar("Answer")

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

STALE_TOKEN = frozenset({"TaskTimedOut", "InvalidToken", "TaskDoesNotExist"})
THROTTLED = frozenset({"ThrottlingException", "TooManyRequestsException", "InternalFailure", "ServiceUnavailable"})
STARTED_BEFORE = frozenset({"ExecutionAlreadyExists"})
NOT_THERE = frozenset({"ExecutionDoesNotExist"})
NOT_RUNNING = NOT_THERE | {"ValidationException"}
ALIVE = frozenset({"RUNNING", "PENDING_REDRIVE"})
STOPPED, SERVICE_RESTARTED = "ABORTED", "States.ServiceRestart"
HIDDEN = "(hidden)"


@cache
def client() -> "SFNClient":
    """One client a process; short time-outs, as a Lambda pays for every second it waits."""
    made: SFNClient = aws.client("stepfunctions", connect_timeout=2, read_timeout=5)
    return made


def execution_name(order_id: OrderId, run: int) -> str:
    """The order's id for the first run; later ones begin with ``_``, which no order id does, so names never collide."""
    return order_id if run == 1 else f"_{run}_{order_id}"


def order_of_execution(name: str) -> OrderId:
    """The order an execution's name belongs to."""
    return OrderId(name.split("_", 2)[2] if name.startswith("_") else name)


def fulfillment_arn(order: Order) -> str:
    """The execution that fulfills the order."""
    return _execution_arn(settings.fulfill_machine_arn(), execution_name(order.order_id, order.run))


def unwinding_arn(order: Order) -> str | None:
    """The execution that unwinds the order, if it came to that."""
    if not order.unwind_run:
        return None
    return _execution_arn(settings.unwind_machine_arn(), execution_name(order.order_id, order.unwind_run))


def _execution_arn(machine_arn: str, name: str) -> str:
    return f"{machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


def start_fulfillment(order: Order, waits: Waits) -> None:
    """Starts the order's current fulfillment run; starting it twice starts it once."""
    facts = {"order_id": order.order_id, "run": order.run, "waits": seconds_of(waits)}
    _start(settings.fulfill_machine_arn(), execution_name(order.order_id, order.run), facts)


def seconds_of(waits: Waits) -> dict[str, float | int]:
    """The waits as an execution has them."""
    return {
        "payment": whole(waits.payment),
        "preparation": whole(waits.preparation),
        # A callback's time-out must be positive: a transit of 0 is answered by the shipping step itself.
        "delivery": whole(waits.longest_transit or 1),
        "approval": whole(max(waits.approval, 1)),
        "confirmation": whole(max(waits.confirmation, 1)),
        "transit": whole(waits.longest_transit),
        "shortage": whole(max(waits.shortage, 1)),
        # Whether it is there is what the machine goes by.
        **({"warehouse": whole(waits.warehouse)} if waits.warehouse else {}),
    }


def start_unwinding(snapshot: Snapshot) -> None:
    """Starts the order's current unwinding run; starting it twice starts it once."""
    order = snapshot.order
    facts = {"order_id": order.order_id, "run": order.unwind_run, "undo_from": undo_from(snapshot)}
    _start(settings.unwind_machine_arn(), execution_name(order.order_id, order.unwind_run), facts)


def _start(machine_arn: str, name: str, facts: Mapping[str, Any]) -> None:
    alias = settings.machine_alias()
    qualified = f"{machine_arn}:{alias}" if alias else machine_arn
    _called(lambda: client().start_execution(stateMachineArn=qualified, name=name, input=json.dumps(facts)), STARTED_BEFORE)


def stop_fulfillment(order: Order) -> None:
    """Ends the order's fulfillment run, wherever it waits, with why; one that has ended or never was is left alone."""
    arn = fulfillment_arn(order)
    _called(lambda: client().stop_execution(executionArn=arn, **outcomes.why_not_fulfilled(order)), NOT_RUNNING)


def answer(token: str, output: Mapping[str, Any]) -> bool:
    """Lets a waiting task succeed; ``False`` when it no longer waits.

    Raises:
        WorkflowBusy: not accepted, or not known; returning the token again changes nothing.
    """
    return _called(lambda: client().send_task_success(taskToken=token, output=json.dumps(output)), STALE_TOKEN) is not None


def refuse(token: str, error_name: str, cause: str) -> bool:
    """Lets a waiting task fail; ``False`` when it no longer waits.

    Raises:
        WorkflowBusy: not accepted, or not known; returning the token again changes nothing.
    """
    return _called(lambda: client().send_task_failure(taskToken=token, error=error_name, cause=cause), STALE_TOKEN) is not None


def fate(execution_arn: str) -> Fate:
    """What became of an execution, as the service reports it: up to some seconds late."""
    found = _called(lambda: client().describe_execution(executionArn=execution_arn), NOT_THERE)
    return Fate.MISSING if found is None else fate_of(found["status"], found.get("error"))


def fate_of(status: str, error: str | None) -> Fate:
    """What an execution's status, and the error that it ended with, mean for its order."""
    if status in ALIVE:
        return Fate.RUNNING
    return Fate.STOPPED if status == STOPPED or error == SERVICE_RESTARTED else Fate.FAILED


def view(execution_arn: str) -> dict[str, Any] | None:
    """An execution's definition, status and whole history, for the viewer; ``None`` when it is not there (any more)."""
    execution = _called(lambda: client().describe_execution(executionArn=execution_arn), NOT_THERE)
    if execution is None:
        return None
    machine = _called(lambda: client().describe_state_machine_for_execution(executionArn=execution_arn), NOT_THERE)
    events = _called(lambda: _events(execution_arn), NOT_THERE)
    if machine is None or events is None:
        return None
    return {
        "execution_arn": execution_arn,
        "name": execution["name"],
        "status": execution["status"],
        "started_at": execution["startDate"],
        "stopped_at": execution.get("stopDate"),
        "definition": json.loads(machine["definition"]),
        "events": events,
    }


def _events(execution_arn: str) -> list[Any]:
    pages = client().get_paginator("get_execution_history").paginate(executionArn=execution_arn, includeExecutionData=True)
    return [event for page in pages for event in page["events"]]


def whole(seconds: float) -> float | int:
    """Seconds as the service wants them: an integer where they are one."""
    return int(seconds) if float(seconds).is_integer() else seconds


def _called(send: Callable[[], Answer], expected: frozenset[str]) -> Answer | None:
    """What the service returns; ``None`` for an error that is expected of it.

    Raises:
        WorkflowBusy: not taken, or not known; every call here may be made again.
    """
    try:
        return send()
    except ClientError as error:
        if _code(error) in THROTTLED:
            raise WorkflowBusy("The workflow service is busy.") from error
        if _code(error) not in expected:
            raise
        return None
    except (NoConnection, ReadTimeoutError) as error:
        raise WorkflowBusy("The workflow service cannot be reached.") from error


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def fit_to_show(execution: Mapping[str, Any], write_time: Callable[[datetime], str]) -> dict[str, Any]:
    """An execution's view as it may be returned to clients: times as text; no task token, stack trace or file path in it."""

    def clean(value: Any, name: str = "") -> Any:
        if isinstance(value, datetime):
            return write_time(value)
        if isinstance(value, Mapping):
            return {key: clean(inner, key) for key, inner in value.items() if key != "stackTrace"}
        if isinstance(value, list):
            return [clean(inner) for inner in value]
        return _clean_text(value, name, clean) if isinstance(value, str) else value

    cleaned: dict[str, Any] = clean(execution)
    return cleaned


def _clean_text(text: str, name: str, clean: Callable[[Any, str], Any]) -> str:
    if name == "task_token":
        return HIDDEN
    if name in ("input", "parameters", "output"):
        try:
            return json.dumps(clean(json.loads(text), name))
        except ValueError:
            return HIDDEN
    return _words_of(text) if name.lower() == "cause" else text


_PATH = re.compile(r"(?<![\w:/])(?:/[\w.@+-]+){2,}")


def _words_of(cause: str) -> str:
    """Why something failed: a Lambda error's name and message where it is one, without where in the code it was."""
    try:
        report = json.loads(cause)
    except ValueError:
        return _without_code(cause)
    if not isinstance(report, Mapping):
        return HIDDEN if isinstance(report, list) else _without_code(str(report))
    shown = {name: _without_code(str(report[name])) for name in ("errorType", "errorMessage") if name in report}
    return json.dumps(shown)


def _without_code(text: str) -> str:
    """A message without file paths; of a whole stack trace its last line, which says what went wrong."""
    lines = text.strip().splitlines()
    return _PATH.sub(HIDDEN, lines[-1] if "Traceback" in text else text)
