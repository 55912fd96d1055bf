"""`orders logs`: what the functions have logged of one order, oldest first, on this machine or on AWS."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local.cli.client import Api, Refused, url_of
from local.cli.rendering import paint

NOTHING = (
    "Nothing was logged of this order. On this machine functions log errors only, unless: orders serve --set LogLevel=INFO"
)
FUNCTION_LOGS = "FunctionLogs"
"""The functions' log group, as template.yaml names it."""


def register(commands: Any, remote: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds the command."""
    command = remote(commands, "logs", "print what the functions have logged of an order", logs)
    command.add_argument("order_id", metavar="ORDER", help="its id, or the beginning or end of it; on AWS the whole id")
    command.add_argument("--stack", metavar="NAME", help="a stack on AWS instead, with the credentials of this shell")


def logs(options: argparse.Namespace) -> int:
    """Prints each line that names the order as the one it is about."""
    lines = _on_aws(options.stack, options.order_id) if options.stack else _on_this_machine(options.url)
    count = 0
    for function, line in lines:
        record = _record(line)
        if record.get("correlation_id") == options.order_id:
            print(line if options.json else text(function, record), flush=True)
            count += 1
    if not count:
        print(NOTHING, file=sys.stderr)
    return 0


def text(function: str, record: Mapping[str, Any]) -> str:
    """One record as a line: when, how grave, which function, and what it says."""
    more = {name: value for name, value in record.items() if name not in SHOWN and name not in CONTEXT}
    said = f"{record.get('message', '')}{'  ' + json.dumps(more) if more else ''}"
    where = f"{record.get('timestamp', '')}  {record.get('level', ''):<8} {function}"
    return f"{where}  {paint(said, 'dim')}".rstrip()


SHOWN = frozenset({"timestamp", "level", "message", "correlation_id"})
CONTEXT = frozenset(
    {
        *("cold_start", "function_arn", "function_memory_size", "function_name", "function_request_id", "location"),
        *("sampling_rate", "service", "settings", "xray_trace_id"),
    }
)
"""What Powertools adds to each record, and a reader of one order's lines does not need."""


def _record(line: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _on_this_machine(url: str | None) -> Iterator[tuple[str, str]]:
    try:
        yield from map(tuple, Api(url_of(url)).call("POST", "/.local/logs", {})["lines"])
    except Refused as refusal:
        raise SystemExit("orders: this stack is not on this machine: name it with --stack") from refusal


def _on_aws(stack: str, order_id: str) -> Iterator[tuple[str, str]]:
    from local.cli.place import Place  # noqa: PLC0415 - brings boto3 along

    place = Place(stack, "")
    pages = place.client("logs").get_paginator("filter_log_events")
    pattern = f'{{ $.correlation_id = "{order_id}" }}'
    for page in pages.paginate(logGroupName=place.resources[FUNCTION_LOGS], filterPattern=pattern):
        yield from ((_record(event["message"]).get("function_name", ""), event["message"].rstrip()) for event in page["events"])
