"""JSON from outside, without what could not be stored or shown again: the standard library's reader takes more."""

import json
from collections.abc import Sequence
from typing import Any, NoReturn


def loads(body: bytes) -> Any:
    """The value that a UTF-8 body holds.

    Raises:
        ValueError: not UTF-8, no JSON, nested too deeply, a number of too many digits, NaN or an infinity, or a name that an
            object has twice.
    """
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant, object_pairs_hook=_unambiguous)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unambiguous(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice in one object")
    return found
