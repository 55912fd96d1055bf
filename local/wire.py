"""Calls that this process makes to its own engine, answered without crossing a socket.

botocore serialises and parses as ever; signing, HTTP and the retries around them fall away. Measured: a GetItem
takes a third of the time, and no thread waits for the loop (docs/decisions/004).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.client import BaseClient

from local import mends

# Services whose handlers run through without awaiting anything, by botocore's name, and the engine's module for each.
DIRECT = {
    "dynamodb": "dynamodb",
    "stepfunctions": "stepfunctions",
    "events": "eventbridge",
    "secretsmanager": "secretsmanager",
}

_endpoint: str | None = None
_original: Callable[..., Any] | None = None


def connect(endpoint: str | None) -> None:
    """Clients of this endpoint are answered here from now on; None puts them back on the wire."""
    global _endpoint, _original  # noqa: PLW0603 - botocore has one client class per process
    _endpoint = endpoint
    if _original is None:
        client: Any = BaseClient
        _original = client._make_request  # noqa: SLF001 - the one place every call passes
        client._make_request = _make_request  # noqa: SLF001


def _make_request(client: Any, operation: Any, request: dict[str, Any], context: Any) -> Any:
    module = DIRECT.get(operation.service_model.service_name)
    if module is None or client.meta.endpoint_url != _endpoint:
        assert _original is not None  # noqa: S101 - set before this function can be called
        return _original(client, operation, request, context)
    headers = {name.lower(): value for name, value in request["headers"].items()}
    body = request["body"]
    path = urlsplit(request["url"]).path
    handler = mends.part(module, "handle_request")
    body = body.encode() if isinstance(body, str) else bytes(body or b"")
    status, answered, content = run_through(handler(request["method"], path, headers, body, {}))
    parsed = client._response_parser.parse(  # noqa: SLF001
        {
            "headers": HeadersDict(answered),
            "status_code": status,
            "body": content,
            "context": {"operation_name": operation.name},
        },
        operation.output_shape,
    )
    headers_of_answer: Any = HeadersDict(answered)
    return AWSResponse(request["url"], status, headers_of_answer, None), parsed


def run_through(coroutine: Coroutine[Any, Any, mends.Response]) -> mends.Response:
    """Runs a coroutine that never waits, here and now."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        response: mends.Response = done.value
        return response
    coroutine.close()
    raise RuntimeError(f"{coroutine!r} awaits: it cannot be answered in process")
