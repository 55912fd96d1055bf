"""The events of one execution."""

from __future__ import annotations

from collections.abc import Iterator

from local.common import Json, iso

_RESOURCE = ("resourceType", "resource")
_FIELDS: dict[str, tuple[str, ...]] = {
    "ExecutionStarted": ("input", "roleArn"),
    "ExecutionSucceeded": ("output",),
    "ExecutionFailed": ("error", "cause"),
    "ExecutionAborted": ("error", "cause"),
    "ExecutionTimedOut": ("error", "cause"),
    "TaskScheduled": (*_RESOURCE, "region", "parameters", "timeoutInSeconds", "heartbeatInSeconds"),
    "TaskStarted": _RESOURCE,
    "TaskSubmitted": (*_RESOURCE, "output"),
    "TaskSucceeded": (*_RESOURCE, "output"),
    "TaskFailed": (*_RESOURCE, "error", "cause"),
    "TaskTimedOut": (*_RESOURCE, "error", "cause"),
    "stateEntered": ("name", "input"),
    "stateExited": ("name", "output"),
}


class History:
    """The events of one execution, kept as tuples (a hundredth of a megabyte an order) and written out when read."""

    __slots__ = ("_events",)

    def __init__(self) -> None:
        self._events: list[tuple[str, float, tuple[Json, ...]]] = []

    def add(self, kind: str, when: float, *details: Json) -> None:
        self._events.append((kind, when, details))

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[dict[str, Json]]:
        for number, (kind, when, details) in enumerate(self._events, start=1):
            yield {
                "timestamp": iso(when),
                "type": kind,
                "id": number,
                "previousEventId": number - 1,
                **_details(kind, details),
            }

    def transitions(self) -> int:
        """What AWS bills: the start, each state entered, and each retry of a task."""
        kinds = [kind for kind, _, _ in self._events]
        entered = sum(kind.endswith("StateEntered") for kind in kinds)
        tasks = kinds.count("TaskStateEntered")
        return 1 + entered + max(0, kinds.count("TaskScheduled") - tasks)


def _details(kind: str, values: tuple[Json, ...]) -> dict[str, Json]:
    shape = "stateEntered" if kind.endswith("StateEntered") else "stateExited" if kind.endswith("StateExited") else kind
    details: dict[str, Json] = {}
    for name, value in zip(_FIELDS[shape], values, strict=True):
        if value is None:
            continue
        details[name] = value
        if name in {"input", "output"}:
            details[f"{name}Details"] = {"truncated": False}
    return {f"{shape[0].lower()}{shape[1:]}EventDetails": details}
