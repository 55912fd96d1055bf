"""`orders carrier`: reports a parcel's scan to a running stack, signed as the carrier would."""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import sys
import time
import unicodedata
import uuid
from collections.abc import Callable, Container
from datetime import UTC, datetime
from typing import Any

from local.cli.client import Api, Refused, url_of
from local.people import SUPPORT

STATUSES = (
    *("created", "in_transit", "out_for_delivery", "available_for_pickup", "attempted"),
    *("delivered", "failed", "lost", "returning", "returned_to_sender"),
)
SECRETS = {"easypost": "EasypostSecret", "shippo": "ShippoSecret", "generic": "GenericCarrierSecret"}
EASYPOST = {
    "created": ("pre_transit", "label_created"),
    "in_transit": ("in_transit", "arrived_at_facility"),
    "out_for_delivery": ("out_for_delivery", "out_for_delivery"),
    "available_for_pickup": ("available_for_pickup", "arrived_at_pickup_location"),
    "delivered": ("delivered", "arrived_at_destination"),
    "failed": ("failure", "unknown"),
    "lost": ("failure", "lost"),
    "returning": ("return_to_sender", "return"),
}
SHIPPO = {
    "created": ("PRE_TRANSIT", "information_received"),
    "in_transit": ("TRANSIT", "package_accepted"),
    "out_for_delivery": ("TRANSIT", "out_for_delivery"),
    "available_for_pickup": ("TRANSIT", "pickup_available"),
    "attempted": ("TRANSIT", "delivery_attempted"),
    "delivered": ("DELIVERED", "delivered"),
    "failed": ("FAILURE", "package_undeliverable"),
    "lost": ("FAILURE", "package_lost"),
    "returning": ("RETURNED", "return_to_sender"),
}
"""A carrier's own status and detail for each of our statuses; a missing one does not exist there."""
SAID_BY: dict[str, Container[str]] = {"easypost": EASYPOST, "shippo": SHIPPO, "generic": STATUSES}

Headers = dict[str, str]


def register(commands: Any, remote: Callable[..., argparse.ArgumentParser]) -> None:
    command = remote(commands, "carrier", "send a parcel's scan as a signed webhook of its carrier", carrier)
    command.add_argument("order_id", metavar="ORDER_ID")
    command.add_argument("status", choices=STATUSES, type=str.lower, metavar="STATUS", help=", ".join(STATUSES))
    command.add_argument("--carrier", choices=list(SECRETS), default="generic", help="the sender (default %(default)s)")
    command.add_argument("--location", help="where the parcel was scanned")
    command.add_argument("--at", type=datetime.fromisoformat, help="when it was scanned (default: now)")
    command.add_argument("--event-id", help="the event's id; send one twice to see that it counts once")


def carrier(options: argparse.Namespace) -> int:
    if options.status not in SAID_BY[options.carrier]:
        print(f"orders: {options.carrier} has no status {options.status}; --carrier generic has", file=sys.stderr)
        return 1
    api = Api(url_of(options.url))
    number = _tracking_number(api, options.order_id)
    if number is None:
        print(f"orders: {options.order_id} has no parcel yet", file=sys.stderr)
        return 1
    at = (options.at or datetime.now(UTC)).astimezone(UTC)
    event_id = options.event_id or str(uuid.uuid4())
    body = json.dumps(EVENTS[options.carrier](event_id, number, options.status, at, options.location)).encode()
    headers = SIGNERS[options.carrier](body, secret_of(api, options.carrier), event_id)
    answer = api.send("POST", f"/carriers/{options.carrier}/events", body, headers)
    print(json.dumps({"sent": json.loads(body), "answer": answer}, indent=2))
    return 0


def _tracking_number(api: Api, order_id: str) -> str | None:
    found = api.signed_in(SUPPORT.subject, SUPPORT.groups).call("GET", f"/orders/{order_id}")
    number: str | None = (found["shipment"] or {}).get("tracking_number")
    return number


def secret_of(api: Api, name: str) -> str:
    """ORDERS_CARRIER_SECRET, or what a stack on this machine keeps in its Secrets Manager."""
    if given := os.environ.get("ORDERS_CARRIER_SECRET"):
        return given
    from local.cli.place import Place  # noqa: PLC0415 - brings boto3 along: the other small commands answer at once

    place = Place(None, api.url)
    try:
        secret = place.resources[SECRETS[name]]
    except Refused:
        raise SystemExit("orders: this stack is not on this machine: set ORDERS_CARRIER_SECRET") from None
    return str(place.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])


# --- What each of them sends --------------------------------------------------------------------------------


def _easypost(event_id: str, number: str, status: str, at: datetime, location: str | None) -> dict[str, Any]:
    said, detail = EASYPOST[status]
    scan = {"object": "TrackingDetail", "datetime": _text(at), "status": said, "status_detail": detail}
    place = {"tracking_location": {"object": "TrackingLocation", "city": location}}
    tracker = {"object": "Tracker", "tracking_code": number, "status": said, "carrier": "EasyPost"}
    result = {**tracker, "updated_at": _text(at), "tracking_details": [scan | place], "est_delivery_date": None}
    return {"id": event_id, "object": "Event", "description": "tracker.updated", "result": result}


def _shippo(event_id: str, number: str, status: str, at: datetime, location: str | None) -> dict[str, Any]:
    said, detail = SHIPPO[status]
    scan = {"object_id": event_id, "status": said, "substatus": {"code": detail}, "status_date": _text(at)}
    scan |= {"location": {"city": location}}
    return {
        "event": "track_updated",
        "test": True,
        "data": {"carrier": "shippo", "tracking_number": number, "eta": None, "tracking_status": scan},
    }


def _generic(event_id: str, number: str, status: str, at: datetime, location: str | None) -> dict[str, Any]:
    scan = {"event_id": event_id, "tracking_number": number, "status": status.upper(), "scanned_at": _text(at)}
    return scan | ({"location": location} if location else {})


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


EVENTS: dict[str, Callable[[str, str, str, datetime, str | None], dict[str, Any]]] = {
    "easypost": _easypost,
    "shippo": _shippo,
    "generic": _generic,
}


# --- How each of them signs ---------------------------------------------------------------------------------


def _signed_easypost(body: bytes, secret: str, _: str) -> Headers:
    key = unicodedata.normalize("NFKD", secret).encode()
    return {"x-hmac-signature": f"hmac-sha256-hex={hmac.new(key, body, hashlib.sha256).hexdigest()}"}


def _signed_shippo(body: bytes, secret: str, _: str) -> Headers:
    sent = str(int(time.time()))
    digest = hmac.new(secret.encode(), sent.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"shippo-auth-signature": f"t={sent},v1={digest}"}


def _signed_generic(body: bytes, secret: str, event_id: str) -> Headers:
    sent = str(int(time.time()))
    encoded = secret.removeprefix("whsec_")
    key = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    digest = hmac.digest(key, f"{event_id}.{sent}.".encode() + body, "sha256")
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": event_id, "webhook-timestamp": sent, "webhook-signature": signature}


SIGNERS: dict[str, Callable[[bytes, str, str], Headers]] = {
    "easypost": _signed_easypost,
    "shippo": _signed_shippo,
    "generic": _signed_generic,
}
