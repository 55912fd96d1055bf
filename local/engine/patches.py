"""Patches for what ministack does differently from AWS, each with its reason.

The engine keeps its state in modules, so a process has one engine. The patches go in once; what they call is the stack
that runs at the moment (`Seams`). They depend on the engine's inner names, so the version is pinned.
"""

from __future__ import annotations

import importlib
import json
import string
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from local.engine.changes import Changes
from local.engine.internals import LOCK, Response, check_version, part, replace
from local.engine.queue_buffer import QueueBuffer
from local.lambda_runtime.invocations import Invocations, Policy
from local.lambda_runtime.lambdas import Lambdas, NoSuchFunction
from local.step_functions.states import Refusal, StateMachines


@dataclass(frozen=True, slots=True)
class Seams:
    lambdas: Lambdas
    machines: StateMachines
    changes: Changes
    invocations: Invocations
    wake_queues: Callable[[], None]
    between_requests: Callable[[], None]


_current: Seams | None = None
_installed = False


def install(seams: Seams) -> None:
    global _current, _installed  # noqa: PLW0603 - the engine is the process's, and so is what runs on it
    _current = seams
    if _installed:
        return
    check_version()
    for patch in PATCHES:
        patch()
    _installed = True


def seams() -> Seams:
    if _current is None:
        raise RuntimeError("no stack runs in this process")
    return _current


# --- Functions ----------------------------------------------------------------------------------------------


def run_handlers_here() -> None:
    """It starts a process for each concurrent call (21 GB for 1,000 orders), reports each error as
    Runtime.HandlerError, so that no Retry or Catch by name fits, and keeps a log stream of every invocation."""

    def execute(function: dict[str, Any], event: Any) -> dict[str, Any]:
        config = function.get("config") or function
        try:
            answer = seams().lambdas.invoke(config["FunctionName"], event)
        except NoSuchFunction as missing:
            return {"body": {"errorType": "ResourceNotFound", "errorMessage": str(missing)}, "error": True}
        return {"body": answer.payload, "error": answer.failed} if answer.failed else {"body": answer.payload}

    replace("lambda_svc", "_execute_function", lambda _: execute)


def retry_what_events_invoke() -> None:
    """A rule's or schedule's target function is called once; AWS calls it asynchronously: tried three times, then
    sent to the function's OnFailure destination. Where it does retry, it takes a thread for each event."""

    def dispatch(arn: str, payload: str) -> None:
        function, config, _ = part("lambda_svc", "_get_func_record_for_ref")(arn)
        if function and config:
            invoke(function, json.loads(payload))

    def invoke(function: dict[str, Any], event: Any) -> None:
        config = function.get("config") or function
        seams().invocations.submit(config["FunctionName"], event, _policy(function, config))

    replace("eventbridge", "_dispatch_to_lambda", lambda _: dispatch)
    replace("lambda_svc", "invoke_async_with_retry", lambda _: invoke)


def _policy(function: dict[str, Any], config: dict[str, Any]) -> Policy:
    own = function.get("event_invoke_config") or (function.get("event_invoke_configs") or {}).get("$LATEST") or {}
    destination = ((own.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    return Policy(
        retries=int(own.get("MaximumRetryAttempts", 2)),
        max_age=float(own.get("MaximumEventAgeInSeconds", 21_600)),
        on_failure=destination or (config.get("DeadLetterConfig") or {}).get("TargetArn"),
    )


def deliver_from_queues_at_once() -> None:
    """Its poller looks at every queue at each message anywhere, takes ten messages at most, ignores the batching
    window, takes a thread for each batch, and deletes a batch whose report makes no sense."""
    wake: Any = importlib.import_module("ministack.core.concurrency").esm_wake
    wake.set = lambda: seams().wake_queues()
    replace("lambda_svc", "_ensure_poller", lambda _: lambda: None)


# --- Executions ---------------------------------------------------------------------------------------------


def walk_with_our_interpreter() -> None:
    """Its walker swallows a function's error in a callback, ignores TimeoutSecondsPath, MaxDelaySeconds, jitter,
    heartbeats and the machine's time-out, and takes a sleeping thread and 150 ms for each execution."""

    def answering(call: Callable[[StateMachines, Any], dict[str, Any]]) -> Callable[[Any], Response]:
        def handler(data: Any) -> Response:
            try:
                return _json(call(seams().machines, data))
            except Refusal as refusal:
                error: Response = part("stepfunctions", "error_response_json")(refusal.code, refusal.message, 400)
                return error

        return handler

    for name, call in {
        "_start_execution": StateMachines.start,
        "_stop_execution": StateMachines.stop,
        "_send_task_success": StateMachines.task_success,
        "_send_task_failure": StateMachines.task_failure,
        "_send_task_heartbeat": StateMachines.task_heartbeat,
    }.items():
        replace("stepfunctions", name, partial(_instead, answering(call)))


def _instead(ours: Any, _: Any) -> Any:
    return ours


def _json(data: dict[str, Any]) -> Response:
    response: Response = part("stepfunctions", "json_response")(data)
    return response


# --- Table and stream ---------------------------------------------------------------------------------------


def one_request_at_a_time() -> None:
    """Its handlers interleave when called from several threads. A table's request is also the unit that is
    journaled, and whose stream records are handed on, before it is answered."""

    def make(original: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
        async def handle(*request: Any) -> Response:
            with LOCK:
                response = await original(*request)
                seams().changes.commit()
                seams().between_requests()
                return response

        return handle

    for name in ("dynamodb", "eventbridge", "secretsmanager", "sns"):
        replace(name, "handle_request", make)
    # The expiry of items runs in a thread of its own, under this name.
    replace("dynamodb", "_lock", lambda _: LOCK)


def tell_of_writes() -> None:
    """It keeps items in memory and saves them at a graceful stop only: a SIGKILL loses acknowledged writes."""

    def set_item(original: Callable[..., Any]) -> Callable[..., Any]:
        def setting(table: dict[str, Any], pk: Any, sk: Any, item: dict[str, Any]) -> Any:
            seams().changes.wrote(table["TableName"], pk, sk, item)
            return original(table, pk, sk, item)

        return setting

    def remove_item(original: Callable[..., Any]) -> Callable[..., Any]:
        def removing(table: dict[str, Any], pk: Any, sk: Any) -> Any:
            seams().changes.wrote(table["TableName"], pk, sk, None)
            return original(table, pk, sk)

        return removing

    replace("dynamodb", "_set_item", set_item)
    replace("dynamodb", "_remove_item", remove_item)


def hand_stream_records_on() -> None:
    """Its poller drops what a failed batch holds after the failure, knows neither partial failures nor bisecting nor
    retry limits, and keeps every record of 24 hours in memory."""

    def emit(table_name: str, kind: str, old: Any, new: Any, replicate: bool = True) -> None:  # noqa: ARG001, FBT
        table = part("dynamodb", "_tables").get(table_name)
        stream = (table or {}).get("StreamSpecification") or {}
        if stream.get("StreamEnabled") and not (kind == "MODIFY" and old == new):
            build = part("dynamodb", "_build_change_record")
            seams().changes.emitted(build(table, kind, old, new, stream.get("StreamViewType", "NEW_AND_OLD_IMAGES")))

    replace("dynamodb", "_emit_stream_event", lambda _: emit)
    replace("lambda_svc", "_poll_dynamodb_streams", lambda _: lambda: False)


# --- Housekeeping -------------------------------------------------------------------------------------------


def keep_messages_from_falling_between() -> None:
    """Messages are appended to a queue without its lock, while the poller replaces the list of messages: what is
    appended in between is lost."""
    replace("sqs", "_queues_lock", lambda _: threading.RLock())

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def locked(*arguments: Any) -> Any:
            with part("sqs", "_queues_lock"):
                return original(*arguments)

        return locked

    actions = part("sqs", "_HANDLERS")
    for name in ("SendMessage", "SendMessageBatch"):
        actions[name] = make(actions[name])
    replace("eventbridge", "_dispatch_to_sqs", make)


def let_messages_come_back_earlier() -> None:
    """It changes a message's visibility time in place, without a call; ours are sorted by that time."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def moving(data: dict[str, Any], url: str) -> Any:
            with part("sqs", "_queues_lock"):
                answer = original(data, url)
                messages = part("sqs", "_get_q")(data.get("QueueUrl", url))["messages"]
                if isinstance(messages, QueueBuffer):
                    messages.moved()
            seams().wake_queues()
            return answer

        return moving

    actions = part("sqs", "_HANDLERS")
    for name in ("ChangeMessageVisibility", "ChangeMessageVisibilityBatch"):
        actions[name] = make(actions[name])


def make_secrets_as_asked() -> None:
    """It puts punctuation into a secret that is to have none, and thereby makes what is to be base64 none."""

    def make(original: Callable[..., str]) -> Callable[..., str]:
        def secret(properties: dict[str, Any]) -> str:
            asked = properties.get("GenerateSecretString") or {}
            if asked.get("ExcludePunctuation"):
                excluded = asked.get("ExcludeCharacters", "") + string.punctuation
                properties = {**properties, "GenerateSecretString": {**asked, "ExcludeCharacters": excluded}}
            return original(properties)

        return secret

    replace("cloudformation.provisioners", "_sm_secret_string", make)


def forget_published_events() -> None:
    """It keeps every event ever put, which nothing reads."""
    replace("eventbridge", "_events_log_list", lambda _: list)


PATCHES: tuple[Callable[[], None], ...] = (
    run_handlers_here,
    retry_what_events_invoke,
    walk_with_our_interpreter,
    one_request_at_a_time,
    tell_of_writes,
    hand_stream_records_on,
    deliver_from_queues_at_once,
    keep_messages_from_falling_between,
    let_messages_come_back_earlier,
    make_secrets_as_asked,
    forget_published_events,
)
