"""Carriers' webhooks: verified by their signatures, and parsed into one type of report.

Each sender is verified on the raw bytes after its own public documentation, in constant time, before anything is parsed:
EasyPost (``X-Hmac-Signature``), Shippo (``Shippo-Auth-Signature``) and, for all others, Standard Webhooks.
"""

import hashlib
import hmac
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from types import MappingProxyType
from typing import Any

from orders.adapters.signatures import Headers, check_standard, check_time, refusal, same
from orders.domain import strict_json
from orders.domain.errors import InvalidArgument
from orders.domain.identifiers import TrackingNumber, fingerprint
from orders.domain.parcels import TrackingDetail
from orders.domain.reports import Report
from orders.domain.scans import Scan
from orders.domain.statuses import ShipmentStatus

LONGEST_WORDS = 200
LONGEST_ID, LONGEST_NUMBER, LONGEST_NAME, LONGEST_TIME = 150, 100, 100, 40
"""How long a sender's event id, a tracking number, a carrier's name and a time may be, in characters; more is refused."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A carrier's signature and format.

    ``read`` takes the event and the time of its receipt. ``takes_token`` is a carrier whose self-service
    webhooks are unsigned: it calls a URL with the secret as its ``token``.
    """

    verify: Callable[[bytes, Headers, str, datetime], None]
    read: Callable[[Any, datetime], Report | None]
    takes_token: bool = False


def receive(carrier: str, body: bytes, headers: Headers, secret: str, now: datetime, token: str | None = None) -> Report | None:
    """The report in a carrier's request; ``None`` when it is not about a parcel.

    Raises:
        Unauthenticated: the signature is missing, wrong or too old, and there is no valid ``token``.
        InvalidArgument: signed by the carrier, but not in its documented format.
    """
    sender = SENDERS[carrier]
    if not (sender.takes_token and _is_token(token, secret)):
        sender.verify(body, headers, secret, now)
    try:
        return sender.read(strict_json.loads(body), now)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        raise InvalidArgument.of("body", "is not an event as this carrier documents it") from None


def _is_token(token: str | None, secret: str) -> bool:
    if not secret:
        raise ValueError("the secret is empty")
    return token is not None and same(secret, token)


# --- times ---

NOON = time(12, tzinfo=UTC)
"""When a day without a time is: noon in UTC is on that day nearly everywhere."""


def _time(text: Any, otherwise: datetime) -> datetime:
    """A sender's time, ``otherwise`` where it gives none. Raises ``ValueError`` for what is no time."""
    return otherwise if text is None or text == "" else _in_utc(text)


def _in_utc(text: Any) -> datetime:
    """A time in UTC, as which one without an offset counts, to the millisecond: as precisely as it is stored."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", _string(text)):
        return datetime.combine(date.fromisoformat(text), NOON)
    parsed = datetime.fromisoformat(text)
    exact = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    return exact.replace(microsecond=exact.microsecond // 1000 * 1000)


def _estimate(text: Any) -> datetime | None:
    return _in_utc(text) if text else None


# --- easypost ---

_EASYPOST = MappingProxyType(
    {
        "pre_transit": ShipmentStatus.CREATED,
        "in_transit": ShipmentStatus.IN_TRANSIT,
        "out_for_delivery": ShipmentStatus.OUT_FOR_DELIVERY,
        "available_for_pickup": ShipmentStatus.AVAILABLE_FOR_PICKUP,
        "delivered": ShipmentStatus.DELIVERED,
        # Sent from when the parcel turns around; its return is never reported.
        "return_to_sender": ShipmentStatus.RETURNING,
        "failure": ShipmentStatus.FAILED,
    }
)
_EASYPOST_LOST = "lost"
"""The one ``status_detail`` that says more than the status beside it."""
_EASYPOST_NOTICES = frozenset({"error", "cancelled"})
"""What EasyPost says about its tracker, and not about the parcel."""


def _verify_easypost(body: bytes, headers: Headers, secret: str, _now: datetime) -> None:
    key = unicodedata.normalize("NFKD", secret).encode()
    digest = hmac.new(key, body, hashlib.sha256).hexdigest()
    if not same(f"hmac-sha256-hex={digest}", headers.get("x-hmac-signature", "")):
        raise refusal()


def _read_easypost(event: Any, received: datetime) -> Report | None:
    tracker = event["result"]
    status = tracker["status"] if tracker.get("object") == "Tracker" else None
    if status not in _EASYPOST and status not in _EASYPOST_NOTICES:
        return None
    scan = _easypost_scan(tracker, received)
    report = Report(
        f"easypost:{_name(event['id'], LONGEST_ID)}",
        _number(tracker["tracking_code"]),
        replace(scan, estimated_delivery=_estimate(tracker.get("est_delivery_date"))),
        _carrier(tracker.get("carrier")),
    )
    return report if scan.status else replace(report, notice=f"tracker_{status}")


def _easypost_details(tracker: Any, received: datetime) -> Iterator[tuple[str | None, ShipmentStatus | None, Scan]]:
    """The tracker's details: each with the status that EasyPost gives it, what that means, and what was seen."""
    updated = _time(tracker.get("updated_at"), received)
    for detail in tracker.get("tracking_details") or ():
        at, place = _time(detail.get("datetime"), updated), _place(detail.get("tracking_location") or {})
        known = _easypost_status(detail)
        yield detail.get("status"), known, Scan(known, at, place, message=_message(detail.get("message")))


def _easypost_status(entry: Any) -> ShipmentStatus | None:
    """What a tracker, or one of its details, says of the parcel; ``None`` when nothing."""
    status = _EASYPOST.get(entry.get("status"))
    return ShipmentStatus.LOST if status and entry.get("status_detail") == _EASYPOST_LOST else status


def _easypost_scan(tracker: Any, received: datetime) -> Scan:
    """The tracker's current scan, with the earlier ones that it lists.

    It is the latest of its details that has the tracker's status, or else that has none. A tracker's last detail may say
    something else than the tracker does.
    """
    details = sorted(_easypost_details(tracker, received), key=lambda one: one[2].at)
    status = _easypost_status(tracker)
    agreeing = [scan for said, _, scan in details if said == tracker["status"]]
    silent = [scan for _, known, scan in details if known is None]
    taken = (agreeing or silent or [Scan(status, _time(tracker.get("updated_at"), received))])[-1]
    scans = [scan for _, _, scan in details]
    earlier = tuple(one for one, scan in zip(_in_sequence(scans), scans, strict=True) if scan is not taken)
    return replace(taken, status=taken.status or status, earlier=earlier)


def _in_sequence(scans: Iterable[Scan]) -> tuple[TrackingDetail, ...]:
    """Scans for the timeline, in their order: one of which the carrier knows no status was seen where the parcel was before."""
    found, status = list[TrackingDetail](), ShipmentStatus.CREATED
    for scan in scans:
        status = scan.status or status
        found.append(TrackingDetail(scan.at, status, scan.location, scan.message))
    return tuple(found)


def _place(location: Mapping[str, Any]) -> str | None:
    return _joined(location.get(part) for part in ("city", "state", "country"))


def words(text: str) -> str | None:
    """A carrier's text, made safe to show: printable, on one line, of bounded length; ``None`` when nothing is left."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:LONGEST_WORDS].strip() or None


def _message(text: Any) -> str | None:
    return words(_string(text)) if text is not None else None


def _joined(parts: Iterable[Any]) -> str | None:
    return words(", ".join(_string(part) for part in parts if part is not None and part != ""))


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a {type(value).__name__} instead of a text")
    return value


def _name(value: Any, longest: int) -> str:
    """A text that is stored as it is: printable, of bounded length, without space around it."""
    text = _string(value)
    if not text.isprintable() or not 0 < len(text.strip()) <= longest:
        raise ValueError("empty, too long or not printable")
    return text.strip()


def _number(value: Any) -> TrackingNumber:
    return TrackingNumber(_name(value, LONGEST_NUMBER))


def _carrier(value: Any) -> str | None:
    return None if value is None else _name(value, LONGEST_NAME)


# --- shippo ---

_SHIPPO = MappingProxyType(
    {
        "PRE_TRANSIT": ShipmentStatus.CREATED,
        "TRANSIT": ShipmentStatus.IN_TRANSIT,
        "DELIVERED": ShipmentStatus.DELIVERED,
        # It is on its way back, or has arrived: Shippo does not say which.
        "RETURNED": ShipmentStatus.RETURNING,
        "FAILURE": ShipmentStatus.FAILED,
    }
)
_SHIPPO_SUBSTATUSES = MappingProxyType(
    {
        ("TRANSIT", "out_for_delivery"): ShipmentStatus.OUT_FOR_DELIVERY,
        ("TRANSIT", "pickup_available"): ShipmentStatus.AVAILABLE_FOR_PICKUP,
        ("TRANSIT", "delivery_attempted"): ShipmentStatus.ATTEMPTED,
        ("TRANSIT", "notice_left"): ShipmentStatus.ATTEMPTED,
        ("FAILURE", "package_lost"): ShipmentStatus.LOST,
    }
)
"""The substatuses that say more than the status beside them."""
_SHIPPO_SIGNATURE = re.compile(r"t=(?P<time>\d{1,12}),v1=(?P<digest>[0-9a-f]{64})")


def _verify_shippo(body: bytes, headers: Headers, secret: str, now: datetime) -> None:
    given = _SHIPPO_SIGNATURE.fullmatch(headers.get("shippo-auth-signature", ""))
    if given is None:
        raise refusal()
    digest = hmac.new(secret.encode(), given["time"].encode() + b"." + body, hashlib.sha256).hexdigest()
    if not same(digest, given["digest"]):
        raise refusal()
    check_time(given["time"], now)


def _read_shippo(event: Any, received: datetime) -> Report | None:
    if event["event"] != "track_updated":
        return None
    data = event["data"]
    latest = data.get("tracking_status")
    taken = _shippo_scan(latest, received) if latest else None
    if taken is None or taken.status is None:
        return None
    history = sorted((_shippo_scan(entry, received) for entry in data.get("tracking_history") or ()), key=lambda one: one.at)
    earlier = tuple(one for one in _in_sequence(history) if one not in taken.details)
    number = _number(data["tracking_number"])
    scan = replace(taken, estimated_delivery=_estimate(data.get("eta")), earlier=earlier)
    return Report(f"shippo:{_shippo_id(number, latest)}", number, scan, _carrier(data.get("carrier")))


def _shippo_scan(entry: Any, received: datetime) -> Scan:
    status = entry["status"]
    substatus = (entry.get("substatus") or {}).get("code")
    exact = _SHIPPO_SUBSTATUSES.get((_string(status), str(substatus)), _SHIPPO.get(status))
    at, place = _time(entry.get("status_date"), received), _place(entry.get("location") or {})
    return Scan(exact, at, place, message=_message(entry.get("status_details")))


def _shippo_id(number: TrackingNumber, scan: Any) -> str:
    """Shippo's events carry no id, and come twice where a webhook is registered twice: the scan's is the event's."""
    if scan.get("object_id"):
        return f"{number}:{_name(scan['object_id'], LONGEST_TIME)}"
    date = scan.get("status_date")
    said = _name(date, LONGEST_TIME) if date else fingerprint(json.dumps(scan, sort_keys=True))
    return f"{number}:{scan['status']}:{said}"


# --- generic: Standard Webhooks ---


def _read_generic(event: Any, received: datetime) -> Report:
    """``{event_id, tracking_number, status, scanned_at?, location?, message?, estimated_delivery?, carrier?}``, status as ours.

    Here ``RETURNING`` is a parcel on its way back, ``RETURNED_TO_SENDER`` one that is back.
    """
    location = event.get("location")
    scan = Scan(
        status=ShipmentStatus(event["status"]),
        at=_time(event.get("scanned_at"), received),
        location=None if location is None else words(_string(location)),
        estimated_delivery=_estimate(event.get("estimated_delivery")),
        message=_message(event.get("message")),
    )
    event_id = f"generic:{_name(event['event_id'], LONGEST_ID)}"
    return Report(event_id, _number(event["tracking_number"]), scan, _carrier(event.get("carrier")))


SENDERS: Mapping[str, Sender] = MappingProxyType(
    {
        "easypost": Sender(_verify_easypost, _read_easypost),
        "shippo": Sender(_verify_shippo, _read_shippo, takes_token=True),
        "generic": Sender(check_standard, _read_generic),
    }
)
