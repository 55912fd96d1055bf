"""Which errors a Retry or Catch means, and how a function's failure is named."""

from __future__ import annotations

from local.common import Json
from local.step_functions.documents import StateError, dumps

FATAL = {"States.Runtime"}  # neither retried nor caught, whatever ErrorEquals says
UNCAUGHT_BY_ALL = {"States.Runtime", "States.DataLimitExceeded"}
TIMEOUTS = {"States.Timeout", "States.HeartbeatTimeout"}


def error_matches(names: list[str], error: str) -> bool:
    if error in FATAL:
        return False
    if error in names or ("States.Timeout" in names and error in TIMEOUTS):
        return True
    if "States.TaskFailed" in names and error not in TIMEOUTS | UNCAUGHT_BY_ALL:
        return True
    return "States.ALL" in names and error not in UNCAUGHT_BY_ALL


def lambda_error(payload: Json) -> StateError:
    """A function's failure is named by its exception's class, and its cause is the error document."""
    name = payload.get("errorType") if isinstance(payload, dict) else None
    return StateError(str(name or "Lambda.Unknown"), dumps(payload))
