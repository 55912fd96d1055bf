"""What carriers send, told from what others send, and read into one kind of report.

Each sender is verified on the raw bytes after its own public documentation, in constant time, before anything is parsed:
EasyPost (``X-Hmac-Signature``), Shippo (``Shippo-Auth-Signature``) and, for everybody else, Standard Webhooks.
"""

import base64
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from orders import strict_json
from orders.errors import InvalidArgument, Unauthenticated
from orders.ids import TrackingNumber
from orders.lifecycle import Scan
from orders.order import moment
from orders.statuses import ShipmentStatus

TOLERANCE_SECONDS = 300
"""How far a signed time may be from ours, in both directions: a recorded request cannot be replayed later."""

LONGEST_WORDS = 200
LONGEST_ID, LONGEST_NUMBER, LONGEST_NAME, LONGEST_TIME = 150, 100, 100, 40
"""How long a sender's event id, a tracking number, a carrier's name and a time may be, in characters; more is refused."""

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Report:
    """One scan of one parcel; ``tracking_number`` says whose, ``event_id`` makes a repetition recognisable."""

    event_id: str
    tracking_number: TrackingNumber
    scan: Scan
    carrier: str | None = None

    def without_words(self) -> "Report":
        """The report of a parcel whose customer's personal data has been erased: no place, and no name but the number's."""
        return replace(self, scan=replace(self.scan, location=None), carrier=None)


@dataclass(frozen=True, slots=True)
class Sender:
    """A carrier's way of signing and of telling."""

    verify: Callable[[bytes, Headers, str, datetime], None]
    read: Callable[[Any], Report | None]


def receive(carrier: str, body: bytes, headers: Headers, secret: str, now: datetime) -> Report | None:
    """The report in a carrier's request; ``None`` when it tells nothing about a parcel.

    Raises:
        Unauthenticated: not signed by the carrier, or not lately.
        InvalidArgument: signed, but not what the carrier documents.
    """
    sender = SENDERS[carrier]
    sender.verify(body, headers, secret, now)
    try:
        return sender.read(strict_json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        raise InvalidArgument.of("body", "is not an event as this carrier documents it") from None


def _refuse() -> Unauthenticated:
    return Unauthenticated("The signature does not match.")


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), _sent(given))


def _sent(header: str) -> bytes:
    """A header's bytes, whatever it holds: what is no text cannot match, and must not raise either."""
    return header.encode("utf-8", "surrogatepass")


def _lately(text: str, now: datetime) -> None:
    if not re.fullmatch(r"\d{1,12}", text) or abs(now.timestamp() - int(text)) > TOLERANCE_SECONDS:
        raise Unauthenticated("The signature is too old, or from the future.")


# --- easypost ---

_EASYPOST = MappingProxyType(
    {
        "pre_transit": ShipmentStatus.CREATED,
        "in_transit": ShipmentStatus.IN_TRANSIT,
        "out_for_delivery": ShipmentStatus.OUT_FOR_DELIVERY,
        "available_for_pickup": ShipmentStatus.OUT_FOR_DELIVERY,
        "delivered": ShipmentStatus.DELIVERED,
        "return_to_sender": ShipmentStatus.RETURNED_TO_SENDER,
        "failure": ShipmentStatus.FAILED,
        "error": ShipmentStatus.FAILED,
        "cancelled": ShipmentStatus.FAILED,
    }
)


def _verify_easypost(body: bytes, headers: Headers, secret: str, _now: datetime) -> None:
    key = unicodedata.normalize("NFKD", secret).encode()
    digest = hmac.new(key, body, hashlib.sha256).hexdigest()
    if not _same(f"hmac-sha256-hex={digest}", headers.get("x-hmac-signature", "")):
        raise _refuse()


def _read_easypost(event: Any) -> Report | None:
    tracker = event["result"]
    if tracker.get("object") != "Tracker" or tracker["status"] not in _EASYPOST:
        return None
    details = sorted(tracker.get("tracking_details") or [], key=lambda detail: moment(detail["datetime"]))
    latest = details[-1] if details else {}
    at = moment(latest["datetime"] if latest else tracker["updated_at"])
    estimated = tracker.get("est_delivery_date")
    scan = Scan(
        status=_EASYPOST[tracker["status"]],
        at=at,
        location=_place(latest.get("tracking_location") or {}),
        estimated_delivery=moment(estimated) if estimated else None,
    )
    event_id = f"easypost:{_name(event['id'], LONGEST_ID)}"
    return Report(event_id, _number(tracker["tracking_code"]), scan, _carrier(tracker.get("carrier")))


def _place(location: Mapping[str, Any]) -> str | None:
    return _joined(location.get(part) for part in ("city", "state", "country"))


def words(text: str) -> str | None:
    """What a carrier wrote, fit to be shown: printable, on one line, of bounded length; ``None`` when nothing is left."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:LONGEST_WORDS].strip() or None


def _joined(parts: Iterable[Any]) -> str | None:
    return words(", ".join(_string(part) for part in parts if part is not None and part != ""))


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a {type(value).__name__} where a text belongs")
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
        "RETURNED": ShipmentStatus.RETURNED_TO_SENDER,
        "FAILURE": ShipmentStatus.FAILED,
    }
)
_SHIPPO_OUT_FOR_DELIVERY = "out_for_delivery"
_SHIPPO_SIGNATURE = re.compile(r"t=(?P<time>\d{1,12}),v1=(?P<digest>[0-9a-f]{64})")


def _verify_shippo(body: bytes, headers: Headers, secret: str, now: datetime) -> None:
    given = _SHIPPO_SIGNATURE.fullmatch(headers.get("shippo-auth-signature", ""))
    if given is None:
        raise _refuse()
    digest = hmac.new(secret.encode(), given["time"].encode() + b"." + body, hashlib.sha256).hexdigest()
    if not _same(digest, given["digest"]):
        raise _refuse()
    _lately(given["time"], now)


def _read_shippo(event: Any) -> Report | None:
    if event["event"] != "track_updated":
        return None
    data = event["data"]
    latest = data.get("tracking_status")
    if not latest or latest["status"] not in _SHIPPO:
        return None
    substatus = (latest.get("substatus") or {}).get("code")
    status = _SHIPPO[latest["status"]]
    out = status is ShipmentStatus.IN_TRANSIT and substatus == _SHIPPO_OUT_FOR_DELIVERY
    at = moment(latest["status_date"])
    scan = Scan(
        status=ShipmentStatus.OUT_FOR_DELIVERY if out else status,
        at=at,
        location=_place(latest.get("location") or {}),
        estimated_delivery=moment(data["eta"]) if data.get("eta") else None,
    )
    # Shippo's events carry no id of their own, and come twice where a webhook is registered twice: the scan is the id.
    number = _number(data["tracking_number"])
    event_id = f"shippo:{number}:{latest['status']}:{_name(latest['status_date'], LONGEST_TIME)}"
    return Report(event_id, number, scan, _carrier(data.get("carrier")))


# --- generic: Standard Webhooks ---


def _verify_generic(body: bytes, headers: Headers, secret: str, now: datetime) -> None:
    message, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "").split(" ")
    encoded = secret.removeprefix("whsec_")
    if not encoded:
        raise ValueError("an empty secret verifies nothing")
    key = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    signed = _sent(message) + b"." + _sent(sent) + b"." + body
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    if not message or not any(_same(expected, signature) for signature in signatures):
        raise _refuse()
    _lately(sent, now)


def _read_generic(event: Any) -> Report:
    """``{event_id, tracking_number, status, scanned_at, location?, estimated_delivery?, carrier?}``, status as ours."""
    estimated, location = event.get("estimated_delivery"), event.get("location")
    scan = Scan(
        status=ShipmentStatus(event["status"]),
        at=moment(event["scanned_at"]),
        location=None if location is None else words(_string(location)),
        estimated_delivery=moment(estimated) if estimated else None,
    )
    event_id = f"generic:{_name(event['event_id'], LONGEST_ID)}"
    return Report(event_id, _number(event["tracking_number"]), scan, _carrier(event.get("carrier")))


SENDERS: Mapping[str, Sender] = MappingProxyType(
    {
        "easypost": Sender(_verify_easypost, _read_easypost),
        "shippo": Sender(_verify_shippo, _read_shippo),
        "generic": Sender(_verify_generic, _read_generic),
    }
)
