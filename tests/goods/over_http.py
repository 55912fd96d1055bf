"""The order on a running stack: requests as staff, a shop, a warehouse and a carrier send them.

Events of a warehouse and scans are sent where the stack is on this machine: its bus and its carriers' secret are then known.
"""

import itertools
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpx

from local.cli.carriers import EVENTS, SIGNERS
from orders.adapters.store import keys
from orders.domain.events import FULFILLMENT_STATUS_CHANGED
from orders.domain.identifiers import OrderId
from orders.domain.order import timestamp
from tests.goods.door import Condition, Placed
from tests.goods.seen import LINES, PRODUCTS, Found, Json, Ordered, Pieces, Refused, Stock
from tests.harness.bodies import HOME
from tests.harness.stacks import Api, Deployment, until

REFUSALS = (400, 409)
SENDER = "generic"


def _money(amount: int) -> Json:
    return {"amount": amount, "currency": "USD"}


def _items(pieces: Pieces | None) -> Json:
    return {"items": [{"line_id": line, "quantity": count} for line, count in pieces.items()]} if pieces else {}


def _priced(ordered: Ordered) -> Json:
    more = {name: _money(amount) for name in ("discount", "tax") if (amount := getattr(ordered, name))}
    return {"unit_price": _money(ordered.unit_price), **more}


class People:
    """Whoever speaks to one stack, signed in once."""

    def __init__(self, stack: Deployment) -> None:
        self.stack = stack
        self.shop, self.support, self.admin = stack.shop, stack.support, stack.admin
        self.requests = itertools.count()

    @cache  # noqa: B019 - lives as long as the run
    def carrier_secret(self) -> str:
        client = self.stack.aws("secretsmanager")
        return str(client.get_secret_value(SecretId=self.stack.aws_names["GenericCarrierSecret"])["SecretString"])


class OverHttp:
    """A door to an order of its own, of products of its own."""

    lets_time_pass = False

    def __init__(self, people: People) -> None:
        self._people, self._stack = people, people.stack
        self._name = f"goods-{uuid.uuid4()}"
        self._products = {product: f"{product}-{self._name}" for product in PRODUCTS}

    def close(self) -> None:
        """The order stays: a stack keeps its orders."""

    # --- what is asked ---

    def place(self, placed: Placed) -> None:
        for name, product in self._products.items():
            self._must(self._people.admin, "PUT", f"/products/{product}", _product(product, placed.there[name]))
        lines = [{"product_id": self._products[line.product], "quantity": line.quantity} for line in LINES.values()]
        token = {} if placed.method == "CASH_ON_DELIVERY" else {"token": "tok_ok"}
        body = {
            "order_id": self._name,
            "customer_id": "ada",
            "items": lines,
            "payment": {"method": placed.method, **token},
            "shipping_address": HOME,
            "require_approval": not placed.is_paid,
            "shortage": placed.shortage,
            "pricing": {"items": [_priced(line) for line in LINES.values()]},
        }
        self._must(self._people.shop, "POST", "/orders", body)
        until(self._is_reserved, what=f"the reservation of {self._name}")

    def _is_reserved(self) -> bool:
        """Or is out of stock, or waits for its customer."""
        body = self._read()
        if body["order"]["shortage"]:
            trail = self._must(self._people.support, "GET", f"/orders/{self._name}/history")["history"]
            return any(event["event_type"] == "CUSTOMER_ASKED" for event in trail)
        steps = self._must(self._people.support, "GET", f"/orders/{self._name}/status")["steps"]
        return bool(body["order"]["status"] == "CANCELLED" or steps[0]["status"] == "COMPLETED")

    def pay(self) -> None:
        self._ask("/approve")

    def amend(self) -> None:
        self._ask("/amend")

    def say_nothing(self) -> None:
        """The time of a stack is everybody's."""
        raise NotImplementedError

    def hand_out(self, refund_id: str) -> None:
        self._ask(f"/refunds/{refund_id}/complete")

    def ask_to_return(self, pieces: Pieces) -> None:
        self._ask("/returns", _items(pieces), self._people.shop)

    def decide(self, return_id: str, decision: str) -> None:
        self._ask(f"/returns/{return_id}/{decision}")

    def receive(self, return_id: str, pieces: Sequence[Condition], *, is_final: bool) -> None:
        items = [{"line_id": line, "quantity": count, "condition": condition} for line, count, condition in pieces]
        self._ask(f"/returns/{return_id}/receive", {"items": items, "final": is_final})

    def take_back(self) -> None:
        self._ask("/return")

    def hand_over(self, pieces: Pieces | None) -> None:
        self._ask("/shipments", _items(pieces))

    def cancel(self, pieces: Pieces | None) -> None:
        self._ask("/cancel", _items(pieces))

    def deliver(self, shipment_id: str | None) -> None:
        self._ask(f"/shipments/{shipment_id}/delivered" if shipment_id else "/delivered")

    def bring_back(self, shipment_id: str) -> None:
        self._ask(f"/shipments/{shipment_id}/returned")

    def refund(self, pieces: Pieces) -> None:
        self._ask("/refunds", _items(pieces) | {"reason": "Broken"})

    def hold(self) -> None:
        self._ask("/hold", {"reason": "The address looks odd"})

    def release(self) -> None:
        self._ask("/release")

    # --- what is reported ---

    def warehouse_says(self, fulfillment_id: str, status: str, pieces: Pieces) -> None:
        event_id = str(uuid.uuid4())
        detail = {
            "event_type": FULFILLMENT_STATUS_CHANGED,
            "event_id": event_id,
            "fulfillment_id": fulfillment_id,
            "order_id": self._name,
            "new_status": status,
            "timestamp": timestamp(datetime.now(UTC)),
            **_items(pieces),
        }
        entry = {"Source": "warehouse", "DetailType": FULFILLMENT_STATUS_CHANGED, "Detail": json.dumps(detail)}
        bus = self._stack.aws_names["OrdersBus"]
        assert not self._stack.aws("events").put_events(Entries=[{"EventBusName": bus, **entry}])["FailedEntryCount"]
        self._until_applied(event_id)

    def carrier_says(self, tracking_number: str, status: str) -> None:
        event_id = str(uuid.uuid4())
        body = json.dumps(EVENTS[SENDER](event_id, tracking_number, status, datetime.now(UTC), None)).encode()
        headers = {"content-type": "application/json"} | SIGNERS[SENDER](body, self._people.carrier_secret(), event_id)
        next(self._people.requests)
        answer = self._stack.http.post(f"/carriers/{SENDER}/events", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        self._until_applied(f"{SENDER}:{event_id}")

    def _until_applied(self, event_id: str) -> None:
        """Its marker is written with the last change that it causes."""
        table, key = self._stack.aws_names["TableName"], keys.marker_key(OrderId(self._name), event_id)
        read = self._stack.aws("dynamodb").get_item
        until(lambda: "Item" in read(TableName=table, Key=key, ConsistentRead=True), what=f"event {event_id} of {self._name}")

    # --- what is seen ---

    def found(self) -> Found:
        """The order once what follows from the last step has happened, and the stock of the same moment."""
        return until(self._at_one_moment, what=f"rest of {self._name}")

    def _at_one_moment(self) -> Found | None:
        body = self._read()
        if not _is_at_rest(body):
            return None
        products = {product: self._stock(name) for product, name in self._products.items()}
        return Found(body, products, is_settled=True) if self._read()["order"]["version"] == body["order"]["version"] else None

    def _read(self) -> Json:
        return self._must(self._people.support, "GET", f"/orders/{self._name}")

    def _stock(self, product: str) -> Stock:
        (found,) = self._must(self._people.support, "GET", f"/stock?product_id={product}")["products"]
        assert found["on_hand"] == found["stock"] + found["reserved"]
        return Stock(found["stock"], found["reserved"], found["sold"])

    def _ask(self, what: str, body: Mapping[str, Any] | None = None, caller: Api | None = None) -> None:
        answer = self._send(caller or self._people.support, "POST", f"/orders/{self._name}{what}", dict(body or {}))
        if answer.status_code in REFUSALS:
            raise Refused(answer.json()["detail"])
        assert answer.status_code == 200, f"{what}: {answer.status_code} {answer.text}"

    def _must(self, caller: Api, method: str, path: str, body: Json = None) -> Json:
        answer = self._send(caller, method, path, body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def _send(self, caller: Api, method: str, path: str, body: Json = None) -> httpx.Response:
        next(self._people.requests)
        return caller.call(method, path, body)


def _product(name: str, stock: int) -> Json:
    return {"name": name, "unit_price": _money(1), "stock": stock}


def _is_at_rest(body: Json) -> bool:
    """Whether nothing follows any more from what was asked: nothing is being undone, and what can be charged is."""
    order, status = body["order"], body["order"]["status"]
    if status in ("CANCELLED", "RETURNED"):
        return "syncOrder" not in body["allowed_actions"]
    in_review = order["approval"] is not None and order["approval"]["status"] == "PENDING"
    return status != "PENDING" or in_review or order["hold"] is not None or order["shortage"] is not None
