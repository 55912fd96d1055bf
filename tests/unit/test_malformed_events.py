"""Whatever a signed body holds: it is an event as its sender documents it, bounded and fit to be stored, or it is refused."""

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.adapters import carrier_webhooks
from orders.adapters.carrier_webhooks import SENDERS, Sender
from orders.domain import strict_json
from orders.domain.errors import InvalidArgument, Unauthenticated
from orders.domain.fulfillment import detail_of, event_of
from orders.domain.identifiers import OrderId
from orders.domain.reports import Report
from orders.web import bodies, fulfillment_schema
from tests.harness.examples import examples

DATA = Path(__file__).parents[1] / "data"
NOW = datetime(2026, 11, 20, tzinfo=UTC)
EVENTS: dict[str, dict[str, Any]] = {
    "easypost": json.loads((DATA / "easypost/event-body.tracker.updated.json").read_bytes()),
    "shippo": json.loads((DATA / "shippo/track_updated.docs-example.json").read_bytes()),
    "generic": {
        "event_id": "evt-1",
        "tracking_number": "TRACK-1",
        "status": "IN_TRANSIT",
        "scanned_at": "2026-11-20T12:00:00Z",
        "location": "Utrecht",
        "message": "Arrived at facility",
        "estimated_delivery": "2026-11-21T12:00:00Z",
        "carrier": "DHL",
    },
}
READ: dict[str, list[tuple[str, ...]]] = {
    "easypost": [
        ("id",),
        ("result", "tracking_code"),
        ("result", "status"),
        ("result", "carrier"),
        ("result", "est_delivery_date"),
        ("result", "tracking_details"),
        ("result",),
    ],
    "shippo": [
        ("event",),
        ("data", "tracking_number"),
        ("data", "carrier"),
        ("data", "eta"),
        ("data", "tracking_status"),
        ("data", "tracking_status", "status"),
        ("data", "tracking_status", "status_date"),
        ("data", "tracking_status", "status_details"),
        ("data", "tracking_status", "object_id"),
        ("data", "tracking_history"),
        ("data", "tracking_status", "substatus"),
        ("data", "tracking_status", "location"),
        ("data", "tracking_status", "location", "city"),
        ("data",),
    ],
    "generic": [(name,) for name in EVENTS["generic"]],
}
"""Where each sender's event is read."""


def taken(carrier: str, body: bytes) -> Report | None:
    """What a signed body leads to: the signature is another test's business."""
    unsigned = Sender(lambda *_: None, SENDERS[carrier].read)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carrier_webhooks, "SENDERS", {carrier: unsigned})
        return carrier_webhooks.receive(carrier, body, {}, "", NOW)


def refused(carrier: str, body: bytes) -> bool:
    try:
        report = taken(carrier, body)
    except InvalidArgument:
        return True
    if report is not None:
        check_fit(report)
    return False


def check_fit(report: Report) -> None:
    """It can be stored, travels on the bus, and is taken at the other end; nothing in it is longer than it may be."""
    detail = detail_of("generic", OrderId("order-1"), report)
    assert len(json.dumps(detail, ensure_ascii=False).encode()) < 4096
    assert len(report.tracking_number.encode()) < 1024
    arrived = bodies.parse(fulfillment_schema.FulfillmentStatusChanged, json.dumps(detail).encode()).event(
        NOW, by_pipeline=True
    )
    assert arrived == event_of(OrderId("order-1"), detail)
    assert arrived.scan == replace(report.scan, sender="generic")
    for text in (report.event_id, report.tracking_number, report.carrier, report.scan.location):
        assert text is None or (text.isprintable() and text == text.strip() and text)


def with_value(event: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(event)
    place: Any = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return changed


def places() -> list[Any]:
    return [pytest.param(carrier, path, id=f"{carrier}-{'.'.join(path)}") for carrier, paths in READ.items() for path in paths]


# --- what cannot be read at all ---

HOSTILE: dict[str, bytes] = {
    "nested": b"[" * 100_000 + b"]" * 100_000,
    "nested objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "cut off": b'{"event_id": "evt',
    "nothing": b"",
    "not UTF-8": b'{"event_id": "\xff\xfe"}',
    "UTF-16": json.dumps(EVENTS["generic"]).encode("utf-16"),
    "a number of 5,000 digits": json.dumps(EVENTS["generic"]).replace('"DHL"', "9" * 5_000).encode(),
    "not a number": json.dumps(EVENTS["generic"]).replace('"DHL"', "NaN").encode(),
    "an infinity": json.dumps(EVENTS["generic"]).replace('"DHL"', "-Infinity").encode(),
    "a name twice": json.dumps(EVENTS["generic"]).replace('{"event_id"', '{"event_id": "evt-2", "event_id"').encode(),
    "a list": b"[]",
    "a text": b'"event"',
    "null": b"null",
}


@pytest.mark.parametrize("carrier", SENDERS)
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_event_is_refused(carrier: str, body: bytes) -> None:
    assert refused(carrier, body)


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_strict_json_reads_what_the_standard_library_reads_or_refuses_it(body: bytes) -> None:
    try:
        value = strict_json.loads(body)
    except ValueError:
        return
    assert value == json.loads(body)


@pytest.mark.parametrize("carrier", SENDERS)
def test_headers_that_are_no_text_do_not_match(carrier: str) -> None:
    names = ("x-hmac-signature", "shippo-auth-signature", "webhook-id", "webhook-timestamp", "webhook-signature")
    with pytest.raises(Unauthenticated):
        carrier_webhooks.receive(carrier, b"{}", dict.fromkeys(names, "\ud800é"), "c2VjcmV0", NOW)


# --- what is read, but says something that cannot be kept ---

STRANGE: dict[str, Any] = {
    "a lone surrogate": "\ud800",
    "200 kB": "x" * 200_000,
    "a list": ["x"],
    "an object": {"x": "y"},
    "a number": 10**400,
    "true": True,
    "control characters": "x\x00\x1by",
}


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize(("carrier", "path"), places())
def test_each_field_is_what_it_should_be_or_the_event_is_refused(carrier: str, path: tuple[str, ...], strange: Any) -> None:
    """A place is shortened to a line, and what no field documents says nothing; names and ids are refused."""
    was_refused = refused(carrier, json.dumps(with_value(EVENTS[carrier], path, strange)).encode())
    if path[-1] in ("carrier", "tracking_code", "tracking_number", "id", "event_id"):
        assert was_refused


@pytest.mark.parametrize("carrier", SENDERS)
def test_the_events_themselves_are_taken(carrier: str) -> None:
    report = taken(carrier, json.dumps(EVENTS[carrier]).encode())
    assert report
    check_fit(report)


# --- anything at all ---

texts = st.text(st.characters(), max_size=300)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
fields = st.sampled_from([(carrier, path) for carrier, paths in READ.items() for path in paths])


@given(st.sampled_from(list(SENDERS)), st.binary(max_size=400))
def test_any_bytes_are_an_event_or_refused(carrier: str, body: bytes) -> None:
    refused(carrier, body)


@given(fields, values)
@examples(500)
def test_any_value_in_any_field_is_taken_or_refused(field: tuple[str, tuple[str, ...]], value: Any) -> None:
    carrier, path = field
    refused(carrier, json.dumps(with_value(EVENTS[carrier], path, value)).encode())


@given(st.sampled_from(list(SENDERS)), values)
def test_any_json_is_an_event_or_refused(carrier: str, value: Any) -> None:
    refused(carrier, json.dumps(value).encode())
