"""The SDK as the product meets it: clients whose calls go to the parties of this process.

What botocore itself does is kept (https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html): a call
whose answer is lost is made again, so that it may meet its own effect. A transaction alone carries a token, by which the
second try is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ReadTimeoutError

from orders.adapters import aws
from simulator.faults import AFTER, BEFORE

if TYPE_CHECKING:
    from simulator.functions import Invocation
    from simulator.world import World

Json = Any

NAMES = {
    "get_item": "GetItem", "query": "Query", "batch_get_item": "BatchGetItem", "transact_write_items": "TransactWriteItems",
    "put_item": "PutItem", "update_item": "UpdateItem", "delete_item": "DeleteItem", "start_execution": "StartExecution",
    "stop_execution": "StopExecution", "describe_execution": "DescribeExecution", "send_task_success": "SendTaskSuccess",
    "send_task_failure": "SendTaskFailure", "send_message": "SendMessage", "send_message_batch": "SendMessageBatch",
    "change_message_visibility": "ChangeMessageVisibility", "put_events": "PutEvents", "publish": "Publish",
    "get_secret_value": "GetSecretValue",
}  # fmt: skip
REFUSALS = {
    "dynamodb": ("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"),
    "stepfunctions": ("ThrottlingException",),
    "sqs": ("RequestThrottled",),
    "sns": ("Throttling",),
    "events": ("ThrottlingException",),
    "secretsmanager": ("ThrottlingException",),
}
FAILURES = {
    "dynamodb": ("InternalServerError", "ServiceUnavailable"),
    "stepfunctions": ("InternalFailure", "ServiceUnavailable"),
    "sqs": ("InternalError",),
    "sns": ("InternalError",),
    "events": ("InternalException",),
    "secretsmanager": ("InternalServiceError",),
}
RETRIES_SECONDS = 3.0
"""What the SDK's tries take together, at most."""


def error(code: str, operation: str, words: str = "", **more: Json) -> ClientError:
    """An answer that says no."""
    response: Any = {"Error": {"Code": code, "Message": words or code}, **more}
    return ClientError(response, operation)


class Client:
    """A client of one service."""

    def __init__(self, worlds: list[World], service: str) -> None:
        self._worlds, self._service = worlds, service

    def __getattr__(self, name: str) -> Callable[..., Json]:
        operation, worlds, service = NAMES[name], self._worlds, self._service

        def call(**request: Json) -> Json:
            return called(worlds[-1], service, operation, request)

        setattr(self, name, call)
        return call


class Session:
    """In the place of botocore's session: the one seam between the product and AWS."""

    def __init__(self) -> None:
        self.worlds: list[World] = []

    def create_client(self, service: str, **_: Json) -> Client:
        """A client for whichever world is at hand when it is used."""
        return Client(self.worlds, service)


_session = Session()


def install(world: World, module: Any = aws) -> None:
    """From now on the product's calls go to this world; ``module`` is where a release has its session from."""
    _session.worlds[:] = [world]
    module.session = lambda: _session


def called(world: World, service: str, operation: str, request: Json) -> Json:
    """One call of the product, with whatever goes wrong around it."""
    party = world.services[operation]
    caller = world.running
    if caller is None:
        return party(request)
    if caller.why:
        caller.kill()
    dice = world.dice
    fault = caller.fault_of(operation)
    slow = dice.happens("slow call", caller.function)
    caller.wait(dice.uniform(0.5, 6) if slow else dice.uniform(0.002, 0.02))
    return party(request) if fault is None else _faulty(caller, fault, service, operation, lambda: party(request))


def _faulty(caller: Invocation, fault: tuple[str, str], service: str, operation: str, call: Callable[[], Json]) -> Json:
    name, moment = fault
    world = caller.world
    world.note(f"fault {caller.number} {operation} {name} {moment}")
    if moment == BEFORE:
        _before(caller, name, service, operation)
    answer = _second_answer(world, operation, call, call()) if name == "answer lost" else call()
    if name == "no answer":
        caller.wait(world.dice.uniform(5, 25))
        raise ReadTimeoutError(endpoint_url=f"https://{service}.test")
    if moment == AFTER:
        _after(caller, name)
    return answer


def _before(caller: Invocation, name: str, service: str, operation: str) -> None:
    dice = caller.world.dice
    if name == "killed":
        caller.kill()
    if name == "timed out":
        caller.hang()
    if name == "conflict":
        raise error("TransactionCanceledException", operation, CancellationReasons=[{"Code": "TransactionConflict"}])
    codes = (REFUSALS if name == "throttled" else FAILURES)[service]
    caller.wait(dice.uniform(0, RETRIES_SECONDS))
    raise error(dice.pick(codes), operation)


def _after(caller: Invocation, name: str) -> None:
    if name == "killed":
        caller.kill()
    if name == "timed out":
        caller.hang()


def _second_answer(world: World, operation: str, call: Callable[[], Json], first: Json) -> Json:
    """What the SDK's second try brings, whose first one had its effect."""
    caller = world.running
    if caller:
        caller.wait(world.dice.uniform(1, 6))
    return first if operation == "TransactWriteItems" else call()
