"""Puts an event on a running stack's bus, as a system outside of it would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from local.cli.client import Api, Refused, url_of


def put(url: str | None, source: str, kind: str, detail: Mapping[str, Any]) -> None:
    """Puts one event; ends the command where the bus is not on this machine, or does not take it."""
    try:
        stack = Api(url_of(url)).call("POST", "/.local/stack", {})
    except Refused:
        raise SystemExit("orders: this stack is not on this machine: use `aws events put-events` there") from None
    import boto3  # noqa: PLC0415 - the other small commands answer at once

    bus = boto3.client(
        "events",
        endpoint_url=stack["aws_url"],
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - the engine takes any
    )
    entry: Any = {
        "EventBusName": stack["resources"]["OrdersBus"],
        "Source": source,
        "DetailType": kind,
        "Detail": json.dumps(detail),
    }
    taken = bus.put_events(Entries=[entry])
    if taken["FailedEntryCount"]:
        raise SystemExit(f"orders: the bus did not take it: {taken['Entries'][0].get('ErrorMessage', 'no reason given')}")
