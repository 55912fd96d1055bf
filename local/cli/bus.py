"""Puts an event on a running stack's bus, as a system outside of it would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from local.cli.client import Refused, url_of


def put(url: str | None, source: str, kind: str, detail: Mapping[str, Any]) -> None:
    """Puts one event; ends the command where the bus is not on this machine, or does not take it."""
    from local.cli.place import Place  # noqa: PLC0415 - brings boto3 along: the other small commands answer at once

    place = Place(None, url_of(url))
    try:
        names = place.resources
    except Refused:
        raise SystemExit("orders: this stack is not on this machine: use `aws events put-events` there") from None
    entry: Any = {
        "EventBusName": names["OrdersBus"],
        "Source": source,
        "DetailType": kind,
        "Detail": json.dumps(detail),
    }
    taken = place.client("events").put_events(Entries=[entry])
    if taken["FailedEntryCount"]:
        raise SystemExit(f"orders: the bus did not take it: {taken['Entries'][0].get('ErrorMessage', 'no reason given')}")
