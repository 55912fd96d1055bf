"""What of ministack's own code is cut short, and how: each function here replaces one or more of its inner parts.

They are put in once in a process and stay; with the switch off each calls what it replaced.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from local.engine.internals import check_version, part, replace
from local.fastpath import fast_json, request_cache, switch

_installed = False


def install() -> None:
    """To be called before the engine is patched: its writes are journaled outside of what is cut short here."""
    global _installed  # noqa: PLW0603 - the engine is the process's
    if _installed:
        return
    check_version()
    for shorten in (remember_expressions, write_json_faster, check_requests_once, match_events_by_type_once, keep_texts_once):
        shorten()
    _installed = True


def remember_expressions() -> None:
    """It parses each expression again for each item it looks at: a tenth of an order's time for a dozen texts."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        remembered = lru_cache(maxsize=1024)(original)
        return lambda *texts: remembered(*texts) if switch.is_on() else original(*texts)

    for name in ("_tokenize", "_condition_syntax_error"):
        replace("dynamodb", name, make)


def write_json_faster() -> None:
    """Python's JSON is a fifth of an order's time."""
    for name in ("dynamodb", "eventbridge", "stepfunctions", "sqs"):
        replace(name, "json", lambda _: fast_json)
    responses: Any = importlib.import_module("ministack.core.responses")
    responses.json = fast_json


def check_requests_once() -> None:
    """Most of a request's time goes into checking again what is the same each time; see `request_cache`."""
    for name, shapes, carry_out in (
        ("_transact_write_items", request_cache.shapes_of_transaction, request_cache.transact),
        ("_update_item", request_cache.shapes_of_update, request_cache.update),
        ("_query", request_cache.shapes_of_query, request_cache.query),
        ("_get_item", request_cache.shapes_of_get, request_cache.get),
        ("_batch_get_item", request_cache.shapes_of_batch, request_cache.get_several),
    ):
        replace("dynamodb", name, request_cache.remembering(shapes, carry_out))


def match_events_by_type_once() -> None:
    """It holds each event against each rule's whole pattern, and nearly all ask for no more than source and type."""

    def make(original: Callable[..., bool]) -> Callable[..., bool]:
        @lru_cache(maxsize=1024)
        def by_type(pattern: str, source: str, kind: str) -> bool | None:
            alternatives = part("eventbridge", "_compiled_pattern")(pattern) or [{}]
            if any(alternative.keys() - {"source", "detail-type"} for alternative in alternatives):
                return None
            return original(pattern, part("eventbridge", "_EventView")({"source": source, "detail-type": kind}, "{}"))

        def matches(pattern: str, view: Any, *owner: str) -> bool:
            event = view.envelope()
            known = by_type(pattern, event["source"], event["detail-type"]) if switch.is_on() else None
            return original(pattern, view, *owner) if known is None else known

        return matches

    replace("eventbridge", "_matches_pattern_view", make)


def keep_texts_once() -> None:
    """It stores names and values of each item separately, and indexes an item again that is already indexed."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def setting(table: dict[str, Any], pk: Any, sk: Any, item: dict[str, Any]) -> Any:
            if not switch.is_on():
                return original(table, pk, sk, item)
            kept = {sys.intern(name): _shared(value) for name, value in item.items()}
            before = table["items"].get(pk, {}).get(sk)
            if before is None or any(before.get(name) != kept.get(name) for name in _key_names(table)):
                return original(table, pk, sk, kept)
            table["items"][pk][sk] = kept  # as it is in the indexes already
            return before

        return setting

    replace("dynamodb", "_set_item", make)


def _key_names(table: dict[str, Any]) -> list[str]:
    return [attribute["AttributeName"] for attribute in table["AttributeDefinitions"]]


def _shared(value: dict[str, Any]) -> dict[str, Any]:
    """Most values of an order's items stand in several of them, and each would have a dict and a text of its own: twice the
    memory of a rush. The engine copies what it changes."""
    text = value.get("S")
    return _text(text) if isinstance(text, str) and len(value) == 1 and len(text) < 64 else value


@lru_cache(maxsize=16_384)
def _text(text: str) -> dict[str, Any]:
    return {"S": text}
