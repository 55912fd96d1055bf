"""A small Stripe: payment intents and refunds in the shapes of ``tests/data/stripe``, with Stripe's rules, over HTTP.

It keeps idempotency keys as Stripe does, and by its test payment methods a charge is taken, refused, asked for, settled later,
captured in parts or released too early. What goes wrong on the way is put into ``mishaps``.
"""

import copy
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SHAPES: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data/stripe/resources.json").read_text(encoding="utf-8"))
KEY = "sk_test_of_the_tests"
GOOD, DECLINED, ASKS = "pm_card_visa", "pm_card_visa_chargeDeclined", "pm_card_authenticationRequired"
LATER, PARTS, ENDS = "pm_usBankAccount", "pm_card_multicapture", "pm_card_hold_ends"
METHODS = {GOOD, DECLINED, ASKS, LATER, PARTS, ENDS}
TAKES_CONFIRMATION = ("requires_confirmation", "requires_payment_method")

Answer = tuple[int, dict[str, Any]]
Params = dict[str, Any]


class Refused(Exception):
    """An error of Stripe's, as it answers it."""

    def __init__(self, status: int, kind: str, code: str, message: str, **more: str) -> None:
        super().__init__(message)
        self.answer: Answer = (status, {"error": {"type": kind, "code": code, "message": message, **more}})


def bad(code: str, message: str = "This cannot be done.") -> Refused:
    return Refused(400, "invalid_request_error", code, message)


@dataclass
class Mishap:
    """What goes wrong with the next call of an operation: a status instead of an answer, or no answer after the effect."""

    operation: str
    status: int = 0
    loses_answer: bool = False


@dataclass
class StripeBook:
    """All that this Stripe knows."""

    intents: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, tuple[Any, Answer]] = field(default_factory=dict)
    mishaps: deque[Mishap] = field(default_factory=deque)
    calls: list[str] = field(default_factory=list)
    listener: Callable[[str, dict[str, Any]], None] | None = None
    """Is told of what happens to an intent, as webhooks tell it."""
    url: str = ""
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # -- the API

    def call(self, method: str, path: str, params: Params, key: str | None, bearer: str) -> Answer | None:
        """One call; ``None`` where its answer is lost."""
        with self._lock:
            operation, handle, wanted = self._operation(method, path)
            self.calls.append(operation)
            mishap = self._mishap(operation)
            if mishap and not mishap.loses_answer:
                return mishap.status, {"error": {"type": "api_error", "message": "Something went wrong."}}
            answer = self._refusal_of(bearer) or self._once(key, (operation, path, params), lambda: handle(*wanted, params))
            return None if mishap else answer

    def _mishap(self, operation: str) -> Mishap | None:
        found = next((one for one in self.mishaps if one.operation == operation), None)
        if found:
            self.mishaps.remove(found)
        return found

    @staticmethod
    def _refusal_of(bearer: str) -> Answer | None:
        if bearer == KEY:
            return None
        return 401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key provided: sk_test_***"}}

    def _once(self, key: str | None, asked: Any, do: Callable[[], dict[str, Any]]) -> Answer:
        if key and key in self.keys:
            before, answer = self.keys[key]
            if before != asked:
                return 400, {
                    "error": {"type": "idempotency_error", "message": "Keys can only be used with the same parameters."}
                }
            return answer
        try:
            answer = 200, copy.deepcopy(do())
        except Refused as refusal:
            answer = refusal.answer
        # What is refused before anything is done is not kept.
        if key and answer[0] in (200, 402):
            self.keys[key] = (asked, answer)
        return answer

    def _operation(self, method: str, path: str) -> tuple[str, Callable[..., dict[str, Any]], tuple[str, ...]]:
        for pattern, operation in (
            (r"POST /v1/payment_intents", "create"),
            (r"GET /v1/payment_intents/(\w+)", "retrieve"),
            (r"POST /v1/payment_intents/(\w+)", "update"),
            (r"POST /v1/payment_intents/(\w+)/confirm", "confirm"),
            (r"POST /v1/payment_intents/(\w+)/capture", "capture"),
            (r"POST /v1/payment_intents/(\w+)/cancel", "cancel"),
            (r"POST /v1/refunds", "refund"),
            (r"GET /v1/refunds", "list_refunds"),
        ):
            if found := re.fullmatch(pattern, f"{method} {path}"):
                return operation, getattr(self, f"_{operation}"), found.groups()
        raise AssertionError(f"nobody calls {method} {path}")

    # -- payment intents

    def _create(self, params: Params) -> dict[str, Any]:
        method = params.get("payment_method")
        if method and method not in METHODS:
            raise Refused(400, "invalid_request_error", "resource_missing", f"No such PaymentMethod: '{method}'")
        if int(params["amount"]) < 1:
            raise bad("parameter_invalid_integer")
        made: dict[str, Any] = copy.deepcopy(SHAPES["payment_intent"]) | {
            "id": f"pi_{len(self.intents) + 1:024d}",
            "amount": int(params["amount"]),
            "currency": params["currency"],
            "metadata": params.get("metadata", {}),
            "payment_method": method,
            "capture_method": params.get("capture_method", "automatic_async"),
            "status": "requires_confirmation" if method else "requires_payment_method",
            "created": int(time.time()),
            "last_payment_error": None,
            "next_action": None,
        }
        self.intents[made["id"]] = made
        return made

    def _found(self, reference: str) -> dict[str, Any]:
        if reference not in self.intents:
            raise Refused(404, "invalid_request_error", "resource_missing", f"No such payment_intent: '{reference}'")
        return self.intents[reference]

    def _retrieve(self, reference: str, _params: Params) -> dict[str, Any]:
        found = self._found(reference)
        if found["status"] == "processing":
            self._charge(found)
        return found

    def _update(self, reference: str, params: Params) -> dict[str, Any]:
        found = self._found(reference)
        metadata = {**found["metadata"], **params.get("metadata", {})}
        found["metadata"] = {name: text for name, text in metadata.items() if text}
        return found

    def _confirm(self, reference: str, params: Params) -> dict[str, Any]:
        found = self._found(reference)
        if found["status"] not in TAKES_CONFIRMATION or not found["payment_method"]:
            raise bad("payment_intent_unexpected_state")
        if not params.get("return_url", "https://").startswith(("https://", "http://")):
            raise Refused(400, "invalid_request_error", "url_invalid", "Not a valid URL", param="return_url")
        if found["payment_method"] == DECLINED:
            self._decline(found)
            raise Refused(402, "card_error", "card_declined", "Your card was declined.")
        if found["payment_method"] == ASKS:
            back = params.get("return_url", "")
            redirect = {"url": f"https://hooks.stripe.com/redirect/{reference}", "return_url": back}
            found |= {"status": "requires_action", "next_action": {"type": "redirect_to_url", "redirect_to_url": redirect}}
            self._tell("payment_intent.requires_action", found)
        elif found["payment_method"] == LATER:
            found["status"] = "processing"
        else:
            self._charge(found)
        return found

    def _decline(self, found: dict[str, Any]) -> None:
        error = {"type": "card_error", "code": "card_declined", "message": "Your card was declined."}
        found |= {"status": "requires_payment_method", "payment_method": None, "last_payment_error": error, "next_action": None}
        self._tell("payment_intent.payment_failed", found)

    def _charge(self, found: dict[str, Any]) -> None:
        is_held = found["capture_method"] == "manual"
        taken = 0 if is_held else found["amount"]
        charge = copy.deepcopy(SHAPES["charge"]) | {
            "id": found["id"].replace("pi_", "ch_"),
            "amount": found["amount"],
            "currency": found["currency"],
            "payment_intent": found["id"],
            "captured": not is_held,
            "amount_captured": taken,
            "amount_refunded": 0,
        }
        parts = "available" if found["payment_method"] == PARTS else "unavailable"
        charge["payment_method_details"]["card"] |= {"multicapture": {"status": parts}}
        status = "requires_capture" if is_held else "succeeded"
        found |= {"latest_charge": charge, "amount_received": taken, "status": status, "next_action": None}
        found["amount_capturable"] = found["amount"] if is_held else 0
        self._tell("payment_intent.amount_capturable_updated" if is_held else "payment_intent.succeeded", found)

    def _capture(self, reference: str, params: Params) -> dict[str, Any]:
        found = self._found(reference)
        if found["payment_method"] == ENDS and found["status"] == "requires_capture":
            found |= {"status": "canceled", "amount_capturable": 0, "cancellation_reason": "automatic"}
        amount, charge = int(params["amount_to_capture"]), found["latest_charge"]
        if found["status"] != "requires_capture" or amount > found["amount_capturable"]:
            raise bad("payment_intent_unexpected_state")
        several = charge["payment_method_details"]["card"]["multicapture"]["status"] == "available"
        if "final_capture" in params and not several:
            raise bad("parameter_unknown")
        is_last = not several or params.get("final_capture", "true") == "true"
        found["amount_received"] += amount
        found["amount_capturable"] -= amount
        charge |= {"amount_captured": found["amount_received"], "captured": True}
        if is_last:
            released = found["amount"] - found["amount_received"]
            found |= {"status": "succeeded", "amount_capturable": 0}
            self._release(found, released)
            self._tell("payment_intent.succeeded", found)
        return found

    def _release(self, found: dict[str, Any], released: int) -> None:
        if released:
            self.refunds.append(self._new_refund(found, released, {}))
            found["latest_charge"]["amount_refunded"] += released

    def _cancel(self, reference: str, _params: Params) -> dict[str, Any]:
        found = self._found(reference)
        if found["status"] in ("succeeded", "canceled", "processing") or found["amount_received"]:
            raise bad("payment_intent_unexpected_state")
        found |= {"status": "canceled", "next_action": None, "amount_capturable": 0}
        self._tell("payment_intent.canceled", found)
        return found

    def authenticate(self, reference: str, *, success: bool = True) -> None:
        """The customer has been to their bank."""
        with self._lock:
            found = self._found(reference)
            assert found["status"] == "requires_action"
            self._charge(found) if success else self._decline(found)

    # -- refunds

    def _new_refund(self, found: dict[str, Any], amount: int, metadata: dict[str, str]) -> dict[str, Any]:
        made: dict[str, Any] = copy.deepcopy(SHAPES["refund"]) | {
            "id": f"re_{len(self.refunds) + 1:024d}",
            "amount": amount,
            "currency": found["currency"],
            "payment_intent": found["id"],
            "charge": found["latest_charge"]["id"],
            "metadata": metadata,
        }
        return made

    def _refund(self, params: Params) -> dict[str, Any]:
        found, amount = self._found(params["payment_intent"]), int(params["amount"])
        charge = found["latest_charge"]
        released = found["amount"] - found["amount_received"]
        if amount > found["amount_received"] - (charge["amount_refunded"] - released):
            raise bad("charge_already_refunded")
        made = self._new_refund(found, amount, params.get("metadata", {}))
        self.refunds.append(made)
        charge["amount_refunded"] += amount
        self._tell("charge.refunded", charge)
        return made

    def _list_refunds(self, params: Params) -> dict[str, Any]:
        ours = [one for one in reversed(self.refunds) if one["payment_intent"] == params["payment_intent"]]
        return {"object": "list", "data": ours, "has_more": False, "url": "/v1/refunds"}

    def _tell(self, event_type: str, thing: dict[str, Any]) -> None:
        if self.listener:
            self.listener(event_type, copy.deepcopy(thing))


# -- over HTTP


def params_of(text: str) -> Params:
    """``metadata[order_id]=o-1`` as ``{"metadata": {"order_id": "o-1"}}``."""
    found: Params = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        first, *more = re.findall(r"[^\[\]]+", name)
        place, last = found, first
        for part in more:
            place, last = place.setdefault(last, {}), part
        place[last] = value
    return found


def _handler(book: StripeBook) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            address, length = urlsplit(self.path), int(self.headers.get("content-length", 0))
            body = self.rfile.read(length).decode()
            bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
            key = self.headers.get("idempotency-key")
            answer = book.call(self.command, address.path, params_of(body or address.query), key, bearer)
            if answer is None:
                self.close_connection = True
                return
            status, said = answer
            text = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _answer  # noqa: N815 - called by these names

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    return Handler


@contextmanager
def served(book: StripeBook | None = None) -> Iterator[StripeBook]:
    """A Stripe on a free port of this machine."""
    known = book or StripeBook()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(known))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    known.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield known
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
