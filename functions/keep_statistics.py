"""The statistics' queue of events: count each change once, however often it is told."""

import json
import zlib
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from orders import logs
from orders.adapters.store import counters
from orders.domain import statistics
from orders.domain.errors import StoreBusy
from orders.domain.statistics import Told

logger = logs.logger()

MOST_AT_ONCE = 50
"""Events counted in one transaction; DynamoDB takes a hundred actions, and smaller ones meet less often."""


def handler(event: dict[str, Any], _context: Any) -> PartialItemFailureResponse:
    """Counts a batch; what could not be counted, or read, comes again by itself."""
    failed: list[str] = []
    told: list[tuple[str, Told]] = []
    for record in event["Records"]:
        try:
            one = statistics.told(json.loads(record["body"])["detail"])
        except (KeyError, ValueError, TypeError):
            logger.exception("An event cannot be counted", message_id=record["messageId"])
            failed.append(record["messageId"])
            continue
        if one:
            told.append((record["messageId"], one))
    for first in range(0, len(told), MOST_AT_ONCE):
        failed += _counted(told[first : first + MOST_AT_ONCE])
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


def _counted(chunk: list[tuple[str, Told]]) -> list[str]:
    lane = zlib.crc32(chunk[0][1].event_id.encode())
    # Two events of one audit entry cannot be marked in one transaction: the second waits for a transaction of its own.
    turns: list[list[Told]] = [[]]
    for _, one in chunk:
        turn = next((turn for turn in turns if all((one.order_id, one.version) != (o.order_id, o.version) for o in turn)), None)
        if turn is None:
            turns.append([one])
        else:
            turn.append(one)
    try:
        for turn in turns:
            counters.count(lane, turn)
    except StoreBusy:
        return [identifier for identifier, _ in chunk]
    return []
