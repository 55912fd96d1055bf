"""Calls that this process makes to its own engine, answered without crossing a socket.

Three short cuts. Any client of the engine skips signing, HTTP and the retries around them. The calls that an order makes
also skip botocore's walk over the shapes, where their protocol is JSON: what is sent is the JSON of the parameters, and
what comes back is parsed by shape only where bytes or times may hide in it. A notice goes straight to the engine's topics:
its protocol is forms and XML. The figures are in docs/decisions/004-own-interpreter-locally.md.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from local.engine import internals
from local.fastpath import fast_json

# Services whose handlers run through without awaiting anything, by botocore's name, and the engine's module for each.
DIRECT = {
    "dynamodb": "dynamodb",
    "stepfunctions": "stepfunctions",
    "events": "eventbridge",
    "secretsmanager": "secretsmanager",
    "sns": "sns",
    "sqs": "sqs",
}
AWAITING = {"ReceiveMessage"}  # but for these
# The calls that an order makes over a JSON protocol: the prefix of their target by service, and which they are.
TARGETS = {"dynamodb": "DynamoDB_20120810", "events": "AWSEvents", "stepfunctions": "AWSStepFunctions", "sqs": "AmazonSQS"}
PLAIN_CALLS = {
    "dynamodb": {
        "BatchGetItem",
        "DeleteItem",
        "GetItem",
        "PutItem",
        "Query",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    },
    "events": {"PutEvents"},
    "stepfunctions": {"SendTaskFailure", "SendTaskSuccess", "StartExecution", "StopExecution"},
    "sqs": {"SendMessage", "SendMessageBatch"},
}
TIMES = {"startDate", "stopDate"}  # the only times in their answers
_OK = {"RequestId": "local", "HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}

_endpoint: str | None = None
_call: Callable[..., Any] | None = None
_request: Callable[..., Any] | None = None


def connect(endpoint: str | None) -> None:
    """Clients of this endpoint are answered here from now on; None puts them back on the wire."""
    global _endpoint, _call, _request  # noqa: PLW0603 - botocore has one client class per process
    _endpoint = endpoint
    if _call is None:
        client: Any = BaseClient
        _call, _request = client._make_api_call, client._make_request  # noqa: SLF001 - every call passes both
        client._make_api_call, client._make_request = _make_api_call, _make_request  # noqa: SLF001


def _make_api_call(client: Any, name: str, parameters: dict[str, Any]) -> Any:
    service = client.meta.service_model.service_name
    if client.meta.endpoint_url == _endpoint:
        if name in PLAIN_CALLS.get(service, ()):
            return _plain_call(client, service, name, parameters)
        if (service, name) == ("sns", "Publish") and parameters.keys() <= _NOTICE.keys():
            return _publish(parameters)
    assert _call is not None  # noqa: S101 - set before this function can be called
    return _call(client, name, parameters)


def _plain_call(client: Any, service: str, name: str, parameters: dict[str, Any]) -> Any:
    body = fast_json.written(parameters, _as_json)
    headers = {"x-amz-target": f"{TARGETS[service]}.{name}", "content-type": "application/x-amz-json-1.0"}
    answer = run_through(internals.part(DIRECT[service], "handle_request")("POST", "/", headers, body, {}))
    status, _, content = answer
    if status == 200 and b'"B' not in content:
        answered = {**fast_json.loads(content or b"{}"), "ResponseMetadata": _OK}
        for time in TIMES & answered.keys():
            answered[time] = datetime.fromtimestamp(answered[time], UTC)
        return answered
    parsed = _parse(client, client.meta.service_model.operation_model(name), answer)
    if status >= 300:
        raise client.exceptions.from_code(parsed["Error"]["Code"])(parsed, name)
    return parsed


def _as_json(value: Any) -> str | float:
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{value!r} is nothing that the service takes")


# What a notice consists of: SNS's name for each part, and the engine's.
_NOTICE = {"TopicArn": "topic_arn", "Message": "message", "Subject": "subject", "MessageAttributes": "message_attributes"}


def _publish(parameters: dict[str, Any]) -> dict[str, Any]:
    with internals.LOCK:
        given = {_NOTICE[name]: value for name, value in parameters.items()}
        published = internals.part("sns", "publish_internal")(**given)
    if published is None:
        refusal: Any = {"Error": {"Code": "NotFound", "Message": "Topic does not exist"}, "ResponseMetadata": _OK}
        raise ClientError(refusal, "Publish")
    return {"MessageId": published["message_id"], "ResponseMetadata": _OK}


def _make_request(client: Any, operation: Any, request: dict[str, Any], context: Any) -> Any:
    module = DIRECT.get(operation.service_model.service_name)
    if module is None or operation.name in AWAITING or client.meta.endpoint_url != _endpoint:
        assert _request is not None  # noqa: S101 - set before this function can be called
        return _request(client, operation, request, context)
    headers = {name.lower(): value for name, value in request["headers"].items()}
    body = request["body"]
    if isinstance(body, dict):  # a service of the query protocol: botocore leaves writing the form to its HTTP session
        body = urlencode(body)
    body = body.encode() if isinstance(body, str) else bytes(body or b"")
    handler = internals.part(module, "handle_request")
    answer = run_through(handler(request["method"], urlsplit(request["url"]).path, headers, body, {}))
    headers_of_answer: Any = HeadersDict(answer[1])
    return AWSResponse(request["url"], answer[0], headers_of_answer, None), _parse(client, operation, answer)


def _parse(client: Any, operation: Any, answer: internals.Response) -> Any:
    """As botocore's endpoint does: an error is parsed twice, the second time with what its own shape holds."""
    status, headers, content = answer
    parser = client._response_parser  # noqa: SLF001
    response = {
        "headers": HeadersDict(headers),
        "status_code": status,
        "body": content,
        "context": {"operation_name": operation.name},
    }
    parsed = parser.parse(response, operation.output_shape)
    if status >= 300:
        shape = client.meta.service_model.shape_for_error_code(parsed.get("Error", {}).get("Code"))
        if shape is not None:
            parsed.update(parser.parse(response, shape))
    return parsed


def run_through(coroutine: Coroutine[Any, Any, internals.Response]) -> internals.Response:
    """Runs a coroutine that never waits, here and now."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        response: internals.Response = done.value
        return response
    coroutine.close()
    raise RuntimeError(f"{coroutine!r} awaits: it cannot be answered in process")
