"""Every minute, and whenever an execution ends badly: find overdue orders and repair them."""

from typing import Any

from orders.services import sweeping


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Sweeps what is due, every open order (``{"everything": true}``), or the one order whose execution ended.

    It returns a cursor where it stopped: ``{"everything": true, "cursor": …}`` continues there. What is due and was not
    reached comes first in the next minute's sweep.

    Raises:
        ExceptionGroup: at the end of a scheduled sweep, with the errors of single orders.
    """
    ended = event.get("detail")  # the schedule sends an empty one
    if ended:
        return {"checked": sweeping.look_after(ended["executionArn"], ended["status"], ended.get("error"))}
    swept = sweeping.sweep(
        lambda: context.get_remaining_time_in_millis() / 1000,
        everything=bool(event.get("everything")),
        cursor=event.get("cursor"),
    )
    return {
        "looked_at": swept.looked_at,
        "restarted": list(swept.restarted),
        "failed": list(swept.failures),
        "throttled": swept.throttled,
        "cursor": swept.cursor,
    }
