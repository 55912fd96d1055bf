"""Parcels with statuses that edition one does not have: it reads their rows and their events, and moves no money by them."""

from typing import Any

import pytest

from orders.adapters.store import keys, scans
from orders.domain.fulfillment import detail_of
from orders.domain.identifiers import OrderId, TrackingNumber
from orders.domain.order import moment
from orders.domain.parcels import TrackingDetail
from orders.domain.reports import Report
from orders.domain.scans import Scan
from orders.domain.statuses import ShipmentStatus
from tests.upgrade.lives import ID, START, place, ship
from tests.upgrade.releases import Release
from tests.upgrade.shared_table import SharedTable

SEEN_AT = moment("2026-11-20T12:00:00.000Z")
EDITION_ONE = {"CREATED", "IN_TRANSIT", "OUT_FOR_DELIVERY", "DELIVERED", "FAILED", "RETURNED_TO_SENDER"}
NEW = [status for status in ShipmentStatus if status.value not in EDITION_ONE]
STAFF: dict[str, Any] = {"by": "grace", "groups": ["support"]}


def shipped(table: SharedTable, release: Release) -> str:
    """An order on its way; answers its parcel's number."""
    table.release = release
    for call in (place(), *START, ship):
        call(table)
    shipment = table.snapshot(ID).shipment
    assert shipment
    assert shipment.tracking_number
    return shipment.tracking_number


def detail(number: str, status: ShipmentStatus | None, event_id: str = "scan-1") -> dict[str, Any]:
    earlier = (TrackingDetail(SEEN_AT, ShipmentStatus.IN_TRANSIT, "York", "Departed"),)
    scan = Scan(status, SEEN_AT, "Leeds", message="Nobody there", earlier=earlier)
    report = Report(event_id, TrackingNumber(number), scan, notice=None if status else "tracker_error")
    return detail_of("easypost", OrderId(ID), report)


def take(table: SharedTable, event: dict[str, Any]) -> None:
    table.queue("on_fulfillment_event", [{"detail-type": "x", "source": "orders.carriers", "detail": event}])


def seen(table: SharedTable, release: Release) -> tuple[str, str]:
    """The order's status and its parcel's, as a release says."""
    table.release = release
    answer = table.http("GET /orders/{id}", ID, **STAFF)
    assert answer.status == 200, answer.text
    return answer.order["status"], answer.body["shipment"]["status"]


@pytest.mark.parametrize("status", NEW)
def test_edition_one_reads_the_row_of_a_parcel_whose_status_it_does_not_have(
    table: SharedTable, old: Release, new: Release, status: ShipmentStatus
) -> None:
    number = shipped(table, new)
    take(table, detail(number, status))
    assert seen(table, new) == ("SHIPPED", status.value)
    assert seen(table, old)[0] == "SHIPPED"
    assert seen(table, old)[1] in EDITION_ONE
    table.release = old
    answer = table.http("PUT /orders/{id}/shipment/location", ID, {"location": "Hull"}, **STAFF)
    assert answer.status == 200, answer.text
    assert seen(table, new) == seen(table, old), "what it writes counts"


@pytest.mark.parametrize("status", [*ShipmentStatus, None])
def test_edition_one_takes_every_report_and_gives_back_money_for_none_that_is_not_back(
    table: SharedTable, old: Release, new: Release, status: ShipmentStatus | None
) -> None:
    number = shipped(table, old)
    event = detail(number, status)
    take(table, event)
    ends = {ShipmentStatus.DELIVERED: "DELIVERED", ShipmentStatus.RETURNED_TO_SENDER: "RETURNED"}
    wanted = ends.get(status, "SHIPPED") if status else "SHIPPED"
    assert (seen(table, old)[0], seen(table, new)[0]) == (wanted, wanted)


@pytest.mark.parametrize("status", NEW)
def test_edition_one_takes_the_kept_scans_again(table: SharedTable, old: Release, new: Release, status: ShipmentStatus) -> None:
    number = shipped(table, old)
    release = old.module("orders.adapters.store.scans")
    release.keep_scan(number, "scan-1", SEEN_AT, detail(number, status), SEEN_AT)
    answer = table.http("POST /orders/{id}/sync", ID, {}, **STAFF)
    assert answer.status == 200, answer.text
    assert seen(table, old)[0] == "SHIPPED"
    assert [one["event_id"] for one in scans.of_parcel(TrackingNumber(number))] == ["scan-1"], (
        "and this release finds them, too"
    )


def test_an_exact_status_that_was_left_behind_does_not_count(table: SharedTable, new: Release) -> None:
    number = shipped(table, new)
    take(table, detail(number, ShipmentStatus.RETURNING))
    item = table.raw(keys.shipment_key(OrderId(ID)))
    assert (item["status"], item["exact_status"]) == ({"S": "FAILED"}, {"S": "RETURNING"})
    table.put(item | {"status": {"S": "DELIVERED"}})
    assert seen(table, new)[1] == "DELIVERED"
    table.put(item | {"exact_status": {"S": "IN_CUSTOMS"}})
    assert seen(table, new)[1] == "FAILED", "a later release writes what this one reads, too"


def test_a_parcel_of_edition_one_is_found_by_the_number_it_was_stored_by(
    table: SharedTable, old: Release, new: Release
) -> None:
    number = shipped(table, old)
    item = table.raw(keys.shipment_key(OrderId(ID)))
    assert item["GSI1PK"] == {"S": f"TRACKING#{number}"}
    assert number != number.upper(), "else this shows nothing"
    assert scans.orders_of_parcel(TrackingNumber(number)) == [ID]
