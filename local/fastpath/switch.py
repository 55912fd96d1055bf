"""The one switch of the fast path: `ORDERS_FAST_PATH=off` in the environment, or `fast_path` of a stack's settings.

It is the process's, as the engine is: a stack sets it when it is made.
"""

from __future__ import annotations

import os

VARIABLE = "ORDERS_FAST_PATH"
_on = True


def is_on() -> bool:
    return _on


def turn(on: bool) -> None:
    global _on  # noqa: PLW0603 - the engine is the process's, and so is the way to it
    _on = on


def wanted() -> bool:
    """What the environment says.

    Raises:
        ValueError: neither `on` nor `off`.
    """
    word = os.environ.get(VARIABLE, "on")
    if word not in {"on", "off"}:
        raise ValueError(f"{VARIABLE} is on or off, not {word!r}")
    return word == "on"
