"""Carriers' webhooks: what is signed is taken, whatever else is refused, and every carrier's words become ours."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Signer

from orders.adapters.carrier_webhooks import SENDERS, receive
from orders.adapters.signatures import TOLERANCE_SECONDS
from orders.domain.errors import InvalidArgument, Unauthenticated
from orders.domain.reports import Report
from orders.domain.statuses import ShipmentStatus

DATA = Path(__file__).parents[1] / "data"
EASYPOST = json.loads((DATA / "easypost/webhook-signature-vector.json").read_text(encoding="utf-8"))
EASYPOST_BODY = (DATA / "easypost" / EASYPOST["body_file"]).read_bytes()
SHIPPO_BODY = (DATA / "shippo/track_updated.docs-example.json").read_bytes()
STANDARD = json.loads((DATA / "standard-webhooks/vectors.json").read_text(encoding="utf-8"))
SIGNED = STANDARD["sign"]
NOW = datetime.fromtimestamp(SIGNED["timestamp"], UTC)
# Zeros at the end of a key are no other key: HMAC fills every key up with them.
OTHER_SECRETS = st.text(min_size=1, max_size=60).filter(lambda text: text.strip("\0"))


def test_the_data_is_what_its_owners_publish() -> None:
    for entry in json.loads((DATA / "PROVENANCE.json").read_text(encoding="utf-8")):
        assert hashlib.sha256((DATA / entry["file"]).read_bytes()).hexdigest() == entry["sha256"], entry["file"]


def verify(carrier: str, body: bytes, headers: dict[str, str], secret: str, now: datetime = NOW) -> None:
    SENDERS[carrier].verify(body, headers, secret, now)


def other_bytes(data: bytes) -> list[bytes]:
    """Every text that differs from this one in a single byte: one other value at each place, one less, and one more."""
    changed = [data[:place] + bytes([data[place] ^ (1 << (place % 8))]) + data[place + 1 :] for place in range(len(data))]
    return [*changed, *(data[:place] + data[place + 1 :] for place in range(len(data))), data + b"\n", b" " + data]


def other_texts(text: str) -> list[str]:
    """As ``other_bytes``, for what travels in a header."""
    return [changed.decode("latin-1") for changed in other_bytes(text.encode())]


# --- EasyPost ---------------------------------------------------------------------------------------------------------


def easypost(signature: str = EASYPOST["signature"]) -> dict[str, str]:
    return {"x-hmac-signature": signature}


def test_easypost_s_own_vector_verifies() -> None:
    verify("easypost", EASYPOST_BODY, easypost(), EASYPOST["secret"])


def test_easypost_s_secret_may_be_written_composed_or_decomposed() -> None:
    assert EASYPOST["secret"] == "s\u00e9cret"
    verify("easypost", EASYPOST_BODY, easypost(), "se\u0301cret")
    with pytest.raises(Unauthenticated):
        verify("easypost", EASYPOST_BODY, easypost(), "secret")


def test_every_single_byte_of_easypost_s_body_and_signature_counts() -> None:
    refused = 0
    for body in other_bytes(EASYPOST_BODY):
        with pytest.raises(Unauthenticated):
            verify("easypost", body, easypost(), EASYPOST["secret"])
        refused += 1
    for signature in (*other_texts(EASYPOST["signature"]), EASYPOST["signature"].upper(), "", "hmac-sha256-hex="):
        with pytest.raises(Unauthenticated):
            verify("easypost", EASYPOST_BODY, easypost(signature), EASYPOST["secret"])
        refused += 1
    with pytest.raises(Unauthenticated):
        verify("easypost", EASYPOST_BODY, {}, EASYPOST["secret"])
    assert refused > 2 * len(EASYPOST_BODY)


def test_easypost_s_event_becomes_the_parcel_s_latest_scan() -> None:
    report = receive("easypost", EASYPOST_BODY, easypost(), EASYPOST["secret"], NOW)
    assert report
    assert (report.event_id, report.tracking_number, report.carrier) == ("easypost:evt_1", "1", "FedEx")
    assert report.scan.status is ShipmentStatus.IN_TRANSIT
    assert report.scan.at == datetime(2024, 8, 2, 18, 50, tzinfo=UTC), "the scan's time, not the event's"
    assert report.scan.location == "EDISON, NJ, US"
    assert report.scan.estimated_delivery == datetime(2024, 8, 5, tzinfo=UTC)


def read_easypost(**changes: Any) -> Report | None:
    event = json.loads(EASYPOST_BODY)
    event["result"] |= changes
    return SENDERS["easypost"].read(event, NOW)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("pre_transit", ShipmentStatus.CREATED),
        ("in_transit", ShipmentStatus.IN_TRANSIT),
        ("out_for_delivery", ShipmentStatus.OUT_FOR_DELIVERY),
        ("available_for_pickup", ShipmentStatus.AVAILABLE_FOR_PICKUP),
        ("delivered", ShipmentStatus.DELIVERED),
        ("return_to_sender", ShipmentStatus.RETURNING),
        ("failure", ShipmentStatus.FAILED),
    ],
)
def test_easypost_s_words_become_ours(theirs: str, ours: ShipmentStatus) -> None:
    report = read_easypost(status=theirs)
    assert report
    assert report.scan.status is ours


def test_what_says_nothing_about_a_parcel_s_way_is_no_report() -> None:
    assert read_easypost(status="unknown") is None
    assert read_easypost(object="Batch") is None


def test_scans_that_come_unsorted_are_read_by_their_time() -> None:
    details = json.loads(EASYPOST_BODY)["result"]["tracking_details"]
    assert read_easypost(tracking_details=details[::-1]) == read_easypost()
    without = read_easypost(tracking_details=[], est_delivery_date=None)
    assert without
    assert without.scan.at == datetime(2024, 8, 2, 19, 26, 51, tzinfo=UTC)
    assert without.scan.location is None


def test_a_detail_without_a_status_was_seen_where_the_parcel_was_before() -> None:
    """As a production tracker lists them: an estimate between scans, and attempts that failed before the one that did not."""
    told = [("in_transit", "Picked up"), ("unknown", "Arriving on time"), ("failure", "Nobody at home"), ("unknown", "Early")]
    told += [("delivered", "Delivered"), ("unknown", "Survey sent")]
    details = [
        {"status": status, "message": message, "datetime": f"2023-04-2{day}T12:00:00Z", "tracking_location": None}
        for day, (status, message) in enumerate(told)
    ]
    report = read_easypost(status="delivered", tracking_details=details)
    assert report
    assert (report.scan.status, report.scan.message) == (ShipmentStatus.DELIVERED, "Delivered")
    assert [(one.status, one.message) for one in report.scan.earlier] == [
        (ShipmentStatus.IN_TRANSIT, "Picked up"),
        (ShipmentStatus.IN_TRANSIT, "Arriving on time"),
        (ShipmentStatus.FAILED, "Nobody at home"),
        (ShipmentStatus.FAILED, "Early"),
        (ShipmentStatus.DELIVERED, "Survey sent"),
    ]


# --- Shippo -----------------------------------------------------------------------------------------------------------

SHIPPO_SECRET = "shippo's secret"


def shippo(body: bytes = SHIPPO_BODY, at: datetime = NOW) -> dict[str, str]:
    sent = str(int(at.timestamp()))
    digest = hmac.new(SHIPPO_SECRET.encode(), sent.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"shippo-auth-signature": f"t={sent},v1={digest}"}


def test_shippo_s_event_is_as_old_as_its_scan() -> None:
    report = receive("shippo", SHIPPO_BODY, shippo(), SHIPPO_SECRET, NOW)
    assert report
    assert report.scan.at == datetime(2016, 7, 23, tzinfo=UTC), "status_date, and not object_created of 2019"
    assert report.scan.status is ShipmentStatus.DELIVERED
    assert (report.tracking_number, report.carrier) == ("9205590164917312751089", "usps")
    assert report.scan.location == "Las Vegas, NV, US"


def test_shippo_tells_some_things_twice_and_means_one() -> None:
    event = json.loads(SHIPPO_BODY)
    first = SENDERS["shippo"].read(event, NOW)
    event["data"]["tracking_status"] |= {"object_updated": "2020-01-01T00:00:00Z"}
    second = SENDERS["shippo"].read(event, NOW)
    assert first
    assert second
    assert first.event_id == second.event_id
    event["data"]["tracking_status"]["object_id"] = "another"
    third = SENDERS["shippo"].read(event, NOW)
    assert third
    assert third.event_id != first.event_id, "two scans of one second are two"


def test_shippo_s_scans_without_an_id_are_told_apart_by_what_they_say() -> None:
    event = json.loads(SHIPPO_BODY)
    del event["data"]["tracking_status"]["object_id"]
    ids = set()
    for date in ("2016-07-23T00:00:00Z", "2016-07-24T00:00:00Z", None):
        for words in ("Delivered.", "Left with a neighbor."):
            event["data"]["tracking_status"] |= {"status_date": date, "status_details": words}
            found = [SENDERS["shippo"].read(event, NOW + timedelta(seconds=again)) for again in range(2)]
            assert len({report.event_id for report in found if report}) == 1
            ids |= {report.event_id for report in found if report}
    assert len(ids) == 4, "by its time, and by its words where it has none"


def test_every_single_byte_of_shippo_s_body_time_and_signature_counts() -> None:
    for body in other_bytes(SHIPPO_BODY):
        with pytest.raises(Unauthenticated):
            verify("shippo", body, shippo(), SHIPPO_SECRET)
    for header in other_texts(shippo()["shippo-auth-signature"]):
        with pytest.raises(Unauthenticated):
            verify("shippo", SHIPPO_BODY, {"shippo-auth-signature": header}, SHIPPO_SECRET)
    with pytest.raises(Unauthenticated):
        verify("shippo", SHIPPO_BODY, {}, SHIPPO_SECRET)


def test_shippo_s_out_for_delivery_is_a_substatus() -> None:
    event = json.loads(SHIPPO_BODY)
    event["data"]["tracking_status"] |= {"status": "TRANSIT", "substatus": {"code": "out_for_delivery"}}
    report = SENDERS["shippo"].read(event, NOW)
    assert report
    assert report.scan.status is ShipmentStatus.OUT_FOR_DELIVERY
    for nothing in ({"event": "transaction_created"}, {"data": event["data"] | {"tracking_status": None}}):
        assert SENDERS["shippo"].read(event | nothing, NOW) is None
    event["data"]["tracking_status"]["status"] = "UNKNOWN"
    assert SENDERS["shippo"].read(event, NOW) is None


# --- Standard Webhooks ------------------------------------------------------------------------------------------------

BODY = SIGNED["payload"].encode()


def standard(**changes: str | None) -> dict[str, str]:
    usual = {
        "webhook-id": SIGNED["msg_id"],
        "webhook-timestamp": str(SIGNED["timestamp"]),
        "webhook-signature": SIGNED["expected"],
    }
    named = {f"webhook-{name}": value for name, value in changes.items()}
    return {name: value for name, value in (usual | named).items() if value is not None}


def test_the_standard_s_own_vector_verifies() -> None:
    verify("generic", BODY, standard(), SIGNED["key"])
    verify("generic", BODY, standard(), SIGNED["key"].removeprefix("whsec_"))


def test_one_good_signature_among_others_is_enough_and_other_versions_are_none() -> None:
    decoys = STANDARD["multi_signature_decoys"]
    verify("generic", BODY, standard(signature=" ".join([*decoys, SIGNED["expected"]])), SIGNED["key"])
    version_2 = SIGNED["expected"].replace("v1,", "v2,")
    for bad in (" ".join(decoys), version_2, STANDARD["bad_signature_same_message"], f"{SIGNED['expected']},"):
        with pytest.raises(Unauthenticated):
            verify("generic", BODY, standard(signature=bad), SIGNED["key"])


@pytest.mark.parametrize("signature", [*STANDARD["partial_or_malformed_signatures"], "", ",", "v1", " ", "v1,ü"])
def test_a_malformed_signature_is_refused(signature: str) -> None:
    with pytest.raises(Unauthenticated):
        verify("generic", BODY, standard(signature=signature), SIGNED["key"])


@pytest.mark.parametrize("header", STANDARD["missing_headers_must_fail"])
def test_a_missing_header_is_refused(header: str) -> None:
    with pytest.raises(Unauthenticated):
        verify("generic", BODY, standard(**{header.removeprefix("webhook-"): None}), SIGNED["key"])


@pytest.mark.parametrize(("secret", "padding"), STANDARD["unpadded_secrets_must_verify"])
def test_a_secret_without_its_padding_is_the_same_secret(secret: str, padding: str) -> None:
    signature = Signer(secret + padding).sign(SIGNED["msg_id"], NOW, SIGNED["payload"])
    verify("generic", BODY, standard(signature=signature), secret)
    verify("generic", BODY, standard(signature=signature), f"whsec_{secret}{padding}")


@pytest.mark.parametrize("secret", STANDARD["empty_secrets_must_raise"])
def test_an_empty_secret_lets_nobody_in(secret: str) -> None:
    signature = base64.b64encode(hmac.digest(b"", b".".join([b"id", str(SIGNED["timestamp"]).encode(), BODY]), "sha256"))
    with pytest.raises(ValueError, match="empty"):
        verify("generic", BODY, standard(id="id", signature=f"v1,{signature.decode()}"), secret)


@pytest.mark.parametrize("seconds", [0, 1, TOLERANCE_SECONDS, -TOLERANCE_SECONDS])
def test_a_clock_may_be_a_little_off(seconds: int) -> None:
    assert STANDARD["tolerance_seconds"] == TOLERANCE_SECONDS
    verify("generic", BODY, standard(), SIGNED["key"], NOW + timedelta(seconds=seconds))
    verify("shippo", SHIPPO_BODY, shippo(), SHIPPO_SECRET, NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [TOLERANCE_SECONDS + 1, -TOLERANCE_SECONDS - 1, 86_400])
def test_a_recorded_request_is_worth_nothing_later(seconds: int) -> None:
    later = NOW + timedelta(seconds=seconds)
    with pytest.raises(Unauthenticated):
        verify("generic", BODY, standard(), SIGNED["key"], later)
    with pytest.raises(Unauthenticated):
        verify("shippo", SHIPPO_BODY, shippo(), SHIPPO_SECRET, later)


@pytest.mark.parametrize(
    "time", [STANDARD["invalid_timestamp"], "", "-1614265330", "1614265330.0", "1e9", "9" * 40, " 1614265330"]
)
def test_a_time_that_is_none_is_refused_even_when_signed(time: str) -> None:
    key = base64.b64decode(SIGNED["key"].removeprefix("whsec_"))
    digest = hmac.digest(key, f"{SIGNED['msg_id']}.{time}.".encode() + BODY, "sha256")
    signature = f"v1,{base64.b64encode(digest).decode()}"
    with pytest.raises(Unauthenticated):
        verify("generic", BODY, standard(timestamp=time, signature=signature), SIGNED["key"])


def test_every_single_byte_of_a_standard_webhook_counts() -> None:
    for body in other_bytes(BODY):
        with pytest.raises(Unauthenticated):
            verify("generic", body, standard(), SIGNED["key"])
    for name, value in standard().items():
        for changed in other_texts(value):
            if name == "webhook-signature" and changed in (f" {value}", f"{value}\n"):
                continue  # signatures are set apart by spaces; API Gateway lets no line break into a header
            with pytest.raises(Unauthenticated):
                verify("generic", BODY, {**standard(), name: changed}, SIGNED["key"])


@given(OTHER_SECRETS)
def test_no_other_secret_verifies(secret: str) -> None:
    with pytest.raises(Unauthenticated):
        verify("easypost", EASYPOST_BODY, easypost(), f"{EASYPOST['secret']}{secret}")
    with pytest.raises(Unauthenticated):
        verify("shippo", SHIPPO_BODY, shippo(), f"{SHIPPO_SECRET}{secret}")


GENERIC: dict[str, Any] = {
    "event_id": "scan-1",
    "tracking_number": "GX-1",
    "status": "OUT_FOR_DELIVERY",
    "scanned_at": "2026-11-20T12:00:00+01:00",
    "location": "Hamburg, DE",
    "carrier": "Hermes",
}


def test_a_generic_report_is_written_in_our_words() -> None:
    report = SENDERS["generic"].read(GENERIC, NOW)
    assert report
    assert (report.event_id, report.tracking_number, report.carrier) == ("generic:scan-1", "GX-1", "Hermes")
    assert report.scan.at == datetime(2026, 11, 20, 11, tzinfo=UTC)
    assert report.scan.location == "Hamburg, DE"
    assert report.scan.estimated_delivery is None


# --- what is signed and still no event --------------------------------------------------------------------------------


def send_generic(body: bytes) -> Report | None:
    secret = f"whsec_{base64.b64encode(b'k' * 24).decode()}"
    signed = b"m" + b"." + str(int(NOW.timestamp())).encode() + b"." + body
    signature = base64.b64encode(hmac.digest(b"k" * 24, signed, "sha256")).decode()
    headers = {"webhook-id": "m", "webhook-timestamp": str(int(NOW.timestamp())), "webhook-signature": f"v1,{signature}"}
    return receive("generic", body, headers, secret, NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        json.dumps(GENERIC | {"status": "SHIPPED"}).encode(),
        json.dumps(GENERIC | {"scanned_at": "yesterday"}).encode(),
        json.dumps(GENERIC | {"scanned_at": "0001-01-01T00:00:00+14:00"}).encode(),
        json.dumps(GENERIC | {"scanned_at": 1_700_000_000}).encode(),
        json.dumps({name: value for name, value in GENERIC.items() if name != "event_id"}).encode(),
    ],
)
def test_what_a_carrier_does_not_document_is_said_to_be_so(body: bytes) -> None:
    with pytest.raises(InvalidArgument):
        send_generic(body)


@given(st.binary(max_size=200))
def test_no_signed_bytes_are_too_strange(body: bytes) -> None:
    with pytest.raises(InvalidArgument):
        send_generic(body)
