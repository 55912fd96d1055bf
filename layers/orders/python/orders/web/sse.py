"""The status stream as short Server-Sent Events: each response holds what has happened since the last one, then ends.

A Python function on Lambda cannot keep a response open. ``retry``, ``id`` and ``Last-Event-ID`` let an ``EventSource`` come
back for what is new, with nothing missed, and 204 ends its reconnecting once the order is over.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orders import settings
from orders.domain.errors import InvalidArgument
from orders.domain.order import Event, Order, Snapshot, timestamp
from orders.domain.recording import STATUS_TOLD_BY
from orders.domain.statuses import ENDED, StepStatus
from orders.services import estimates, reading
from orders.web.handling import SECURITY_HEADERS, Answer
from orders.web.progress_views import progress_view

SOONEST, LONGEST = 1_000, 1_750
"""The pauses between two requests of a watcher, in milliseconds; the longer still shows a change within 2 s of its commit."""
GROWTH = 25
"""By how many milliseconds the pause grows with each second in which nothing has happened."""
SNAPSHOT = "status"


def answer(snapshot: Snapshot, last_event_id: str | None, now: datetime) -> Answer:
    """What a watcher who has seen the version ``last_event_id`` has missed; the present status for a new one."""
    order, seen = snapshot.order, _version(last_event_id)
    if _is_over(order) and seen is not None and seen >= order.version:
        return {"statusCode": 204, "headers": dict(SECURITY_HEADERS)}
    progress = progress_view(snapshot, estimates.history(now), settings.waits(), now, timed=settings.delivery_is_timed())
    pause = pause_after(order, now)
    if seen is None:
        return _stream(pause, [_frame(order.version, SNAPSHOT, progress)])
    missed = reading.history(order.order_id, seen) if seen < order.version else []
    return _stream(pause, [_frame(event.version, event.type.value, _data(event, order, progress)) for event in missed])


def pause_after(order: Order, now: datetime) -> int:
    """After how many milliseconds a watcher should ask again: the longer, the longer nothing has happened."""
    quiet = max(0, int((now - order.updated_at).total_seconds()))
    return min(SOONEST + quiet * GROWTH, LONGEST)


def _data(event: Event, order: Order, progress: Mapping[str, Any]) -> dict[str, Any]:
    """One change, without who made it: a link may be passed on. The one that led to the present carries the progress."""
    change: dict[str, Any] = {
        "order_id": event.order_id,
        "version": event.version,
        "event_type": event.type,
        "status": event.status,
        "timestamp": timestamp(event.at),
    }
    return change | _steps(event) | ({"progress": progress} if event.version == order.version else {})


def _steps(event: Event) -> dict[str, Any]:
    """The step that a change is about and its new status, where there is one; ``steps`` holds all that moved with it.

    A change that ends one step and starts the next is about the one that ended.
    """
    moved = {step: STATUS_TOLD_BY[signal] for signal, step in event.signals if step}
    if not moved:
        return {}
    ended = [step for step, status in moved.items() if status is not StepStatus.IN_PROGRESS]
    about = (ended or list(moved))[0]
    steps = [{"name": step, "status": status} for step, status in moved.items()]
    return {"step": about, "step_status": moved[about], "steps": steps}


def _is_over(order: Order) -> bool:
    return order.overall in ENDED


def _version(text: str | None) -> int | None:
    if text is None or text == "":
        return None
    if not re.fullmatch(r"\d{1,18}", text):
        raise InvalidArgument.of("Last-Event-ID", "must be the id of an event of this stream")
    return int(text)


def _frame(version: int, kind: str, data: Mapping[str, Any]) -> str:
    return f"id: {version}\nevent: {kind}\ndata: {json.dumps(data, separators=(',', ':'), ensure_ascii=False)}\n\n"


def _stream(pause: int, frames: list[str]) -> Answer:
    return {
        "statusCode": 200,
        "headers": {**SECURITY_HEADERS, "content-type": "text/event-stream; charset=utf-8"},
        "body": f"retry: {pause}\n\n" + "".join(frames),
    }
