"""Trackers as real carriers recorded them: each is accepted with the right status, time and place, and each of its scans."""

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from orders.adapters.carrier_webhooks import SENDERS
from orders.domain.parcels import TrackingDetail
from orders.domain.reports import Report

DATA = Path(__file__).parents[1] / "data"
NOW = datetime(2026, 11, 20, tzinfo=UTC)
MEANS = {
    "pre_transit": "CREATED",
    "in_transit": "IN_TRANSIT",
    "out_for_delivery": "OUT_FOR_DELIVERY",
    "delivered": "DELIVERED",
    "PRE_TRANSIT": "CREATED",
    "TRANSIT": "IN_TRANSIT",
    "DELIVERED": "DELIVERED",
}
"""What the statuses in the recordings mean, written out a second time."""
SILENT = {"unknown": "a tracker that was just made: EasyPost knows of no scan yet, and none is listed"}
"""The statuses of recordings that are no report, each with why."""


@dataclass(frozen=True)
class Recording:
    """One tracker: as the carrier's webhook brings it, and what the carrier says in it, scan by scan."""

    file: str
    carrier: str
    event: dict[str, Any]
    status: str
    details: list[dict[str, Any]]

    @property
    def report(self) -> Report | None:
        return SENDERS[self.carrier].read(self.event, NOW)


class Cassette(yaml.SafeLoader):
    """YAML as VCR for Ruby writes it."""


Cassette.add_constructor("!binary", lambda loader, node: base64.b64decode(str(loader.construct_scalar(node))))  # type: ignore[arg-type]


def answers(file: Path) -> Iterator[Any]:
    """The JSON that the carrier answered with."""
    cassette = yaml.load(file.read_text(encoding="utf-8"), Cassette)  # noqa: S506 - a safe loader with one tag more
    for interaction in cassette.get("interactions") or cassette["http_interactions"]:
        text = interaction["response"]["body"]["string"]
        yield json.loads(gzip.decompress(text) if isinstance(text, bytes) else text)


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value, however deep."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(inner)


def easypost(file: Path, found: Any) -> Iterator[Recording]:
    for tracker in objects(found):
        if tracker.get("object") == "Tracker":
            event = {"id": "evt_1", "description": "tracker.updated", "result": tracker}
            yield Recording(file.name, "easypost", event, tracker["status"], tracker["tracking_details"])


def shippo(file: Path, track: Any) -> Recording:
    event = track if "event" in track else {"event": "track_updated", "data": track}
    history = [*event["data"]["tracking_history"], event["data"]["tracking_status"]]
    return Recording(file.name, "shippo", event, event["data"]["tracking_status"]["status"], history)


def recordings() -> Iterator[Recording]:
    for file in sorted((DATA / "easypost").rglob("*.yaml")):
        for found in answers(file):
            yield from easypost(file, found)
    signed = DATA / "easypost/event-body.tracker.updated.json"
    yield from easypost(signed, json.loads(signed.read_bytes()))
    for file in sorted((DATA / "shippo").rglob("*.yml")):
        for found in answers(file):
            yield shippo(file, found)
    documented = DATA / "shippo/track_updated.docs-example.json"
    yield shippo(documented, json.loads(documented.read_bytes()))


ALL = list(recordings())
TOLD = [one for one in ALL if one.status not in SILENT]


def said(detail: dict[str, Any]) -> tuple[datetime, str, str | None, str]:
    """One scan in the carrier's own words: when, what, where, and how it is put."""
    at, text = detail.get("datetime") or detail["status_date"], detail.get("message") or detail["status_details"]
    where = detail.get("tracking_location") or detail["location"]
    place = ", ".join(where[part] for part in ("city", "state", "country") if where[part])
    return datetime.fromisoformat(at), MEANS[detail["status"]], place or None, text


def read(detail: TrackingDetail) -> tuple[datetime, str, str | None, str | None]:
    return detail.at, detail.status.value, detail.location, detail.message


def test_at_least_99_of_100_recordings_are_accepted_and_the_others_say_nothing_of_a_parcel() -> None:
    accepted = [one for one in ALL if one.report is not None]
    assert accepted == TOLD
    assert len(TOLD) == 7
    assert sum(len({said(detail) for detail in one.details}) for one in TOLD) == 28
    assert all(not one.details for one in ALL if one.status in SILENT), "nothing of them is lost"
    assert {one.carrier for one in accepted} == {"easypost", "shippo"}


@pytest.mark.parametrize("recording", TOLD, ids=lambda one: one.file)
def test_a_recording_is_taken_with_its_status_time_and_place(recording: Recording) -> None:
    report = recording.report
    assert report
    latest = max(
        (detail for detail in recording.details if detail["status"] == recording.status), key=lambda detail: said(detail)[0]
    )
    (taken,) = report.scan.details[-1:]
    assert read(taken) == said(latest)


@pytest.mark.parametrize("recording", TOLD, ids=lambda one: one.file)
def test_every_scan_of_a_recording_is_on_the_timeline(recording: Recording) -> None:
    report = recording.report
    assert report
    assert {read(detail) for detail in report.scan.details} == {said(detail) for detail in recording.details}
