"""What the stack itself sends through the engine: an execution's status, and what could not be delivered."""

from __future__ import annotations

import logging

from local.engine import internals
from local.step_functions.states import Record

logger = logging.getLogger(__name__)


def announce(record: Record) -> None:
    """As AWS does on the default bus, which usually has no rules for it."""
    rules = internals.part("eventbridge", "_rules").values()
    if any(rule.get("EventPattern") and rule.get("EventBusName", "default") == "default" for rule in rules):
        internals.part("stepfunctions", "_emit_execution_status_event")(record)


def send_dead_letter(destination: str, message: str) -> None:
    queue = internals.part("sqs", "_queue_by_arn")(destination)
    if queue is None:
        logger.error("what could not be delivered has nowhere to go, there is no %s: %s", destination, message)
        return
    internals.part("sqs", "_HANDLERS")["SendMessage"]({"MessageBody": message}, queue["url"])
