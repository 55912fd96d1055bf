"""The only module that talks to EventBridge."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from orders import settings
from orders.adapters import aws
from orders.domain.errors import TransientError
from orders.domain.events import SOURCE

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

MOST_AT_ONCE = 10


class BusBusy(TransientError):
    """The bus did not accept every event."""


@cache
def client() -> "EventBridgeClient":
    """One client a process."""
    made: EventBridgeClient = aws.client("events")
    return made


def publish(events: Sequence[tuple[str, Mapping[str, Any], datetime]], source: str = SOURCE) -> None:
    """Puts events (type, detail, time) on the bus, ten a call.

    Raises:
        BusBusy: some were not accepted; all may be put again, as each has a stable id.
    """
    for first in range(0, len(events), MOST_AT_ONCE):
        chunk = events[first : first + MOST_AT_ONCE]
        answer = client().put_events(
            Entries=[
                {
                    "EventBusName": settings.bus_name(),
                    "Source": source,
                    "DetailType": kind,
                    "Detail": json.dumps(detail, separators=(",", ":"), ensure_ascii=False),
                    "Time": at,
                }
                for kind, detail, at in chunk
            ]
        )
        if answer["FailedEntryCount"]:
            raise BusBusy(f"{answer['FailedEntryCount']} of {len(chunk)} events were not accepted.")
