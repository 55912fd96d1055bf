"""The bus's own policy, at the engine's port: who may put events under the pipeline's own sources.

The engine knows no `AWS::Events::EventBusPolicy`. What the template denies is refused here as EventBridge refuses it: the whole
call, whatever else it carries. Functions in this process call the engine directly; one that runs in Lambda's emulator gives
its name as its access key, and everybody else is a role of the account that is not the pipeline's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from local import documents
from local.ports.guard import Application, Message, Receive, Send, headers_of

PUT_EVENTS = "AWSEvents.PutEvents"
_ACCESS_KEY = re.compile(r"Credential=([^/,\s]+)/")


def own_sources(template: Path, stack_name: str) -> dict[str, str]:
    """Each source that a statement of the template denies, and the name of the one function that it is kept for."""
    resources = documents.read(template)["Resources"]
    kept = {}
    for resource in resources.values():
        if resource["Type"] == "AWS::Events::EventBusPolicy":
            condition = resource["Properties"]["Statement"]["Condition"]
            role, _ = condition["ArnNotEquals"]["aws:PrincipalArn"]["Fn::GetAtt"]
            name = resources[role.removesuffix("Role")]["Properties"]["FunctionName"]["Fn::Sub"]
            for source in condition["ForAnyValue:StringEquals"]["events:source"]:
                kept[source] = name.replace("${AWS::StackName}", stack_name)
    return kept


def enforced(application: Application, kept_for: Mapping[str, str]) -> Application:
    """The engine's port with the policy before it; calls of any other kind pass as they are."""

    async def guarded(scope: Message, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        if headers.get("x-amz-target") != PUT_EVENTS:
            await application(scope, receive, send)
            return
        body = await _read(receive)
        caller = _ACCESS_KEY.search(headers.get("authorization", ""))
        if denied := _denied(body, caller[1] if caller else "", kept_for):
            await _refuse(send, denied)
        else:
            await application(scope, _again(body, receive), send)

    return guarded


def _denied(body: bytes, caller: str, kept_for: Mapping[str, str]) -> list[str]:
    """The sources in a call that are not the caller's to use; what cannot be read is the engine's to refuse."""
    try:
        sources = {str(entry.get("Source")) for entry in json.loads(body)["Entries"]}
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    return sorted(source for source in sources if kept_for.get(source, caller) != caller)


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    """The request's body, read already, to be read once more."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving


async def _refuse(send: Send, sources: list[str]) -> None:
    message = (
        f"not authorized to perform: events:PutEvents with an explicit deny in a resource-based policy: {', '.join(sources)}"
    )
    body = json.dumps({"__type": "AccessDeniedException", "message": message}).encode()
    headers = [(b"content-type", b"application/x-amz-json-1.1"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body})
