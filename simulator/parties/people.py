"""Customers, staff, the warehouse and the carrier's drivers: whatever is asked of orders from outside.

Nothing is promised of them: they ask for what is not allowed, at any moment, twice, and again until they are answered. What the
product has said yes to is kept here, as a promise that the laws hold it to.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from orders.domain.statuses import DEPRECATED_NAMES, OrderStatus
from orders.web.routes import ROUTES
from simulator.functions import Outcome
from simulator.parties import drivers, parts, returning, shelves

if TYPE_CHECKING:
    from simulator.world import World

Json = Any
Told = Callable[[int, Json], object]

PLENTY, DEAR, SCARCE, FREE = "mug", "watch", "print", "leaflet"
STOCKED = {PLENTY: 1_000_000, DEAR: 1_000_000, SCARCE: 7, FREE: 1_000_000}
PRICES = {PLENTY: 1000, DEAR: 30000, SCARCE: 1550, FREE: 0}
THRESHOLD = 50_000
"""From which total a person looks at an order (``ReviewThreshold``)."""
MOMENTS = (*((0.0, 1.0),) * 2, *((0.5, 10.0),) * 3, *((0.0, 297.0),) * 2, *((297.5, 301.5),) * 6)
"""Between which seconds of an order reviewers answer."""
SCARCE_STEPS = 60
"""For so many orders there is one more set of what is scarce."""
TOKENS = ("tok_ok",) * 8 + (
    "tok_declined",
    "tok_insufficient_funds",
    "tok_flaky_2",
    "tok_flaky_9",
    "tok_timeout_1",
    "tok_timeout_2",
    "tok_requires_action",
    "tok_async",
    "tok_refund_declined_1",
    "tok_hold_expires",
    "tok_capture_once",
)
REFUNDS: tuple[Json, ...] = (
    {},
    *({"amount": {"amount": amount, "currency": "USD"}} for amount in (1, 333, 999, 20_000)),
    *({"items": [{"line_id": line_id, "quantity": 1}]} for line_id in ("1", "1", "2")),
)
"""What staff give back: all that is left, an amount, or what a piece is worth; often more than there is."""
WAITING_TOKENS = ("tok_requires_action", "tok_async")
PLACES = ("SW1Y 4JH",) * 9 + ("flaky-2", "timeout-1", "timeout-2", "refused")
METHODS = ("CREDIT_CARD",) * 4 + ("DIGITAL_WALLET", "BANK_TRANSFER", "CASH_ON_DELIVERY", "CASH_ON_DELIVERY")
STATUSES = (
    *(status.value for status in OrderStatus if status is not OrderStatus.PENDING),
    *DEPRECATED_NAMES,
    *("SHIPPED", "DELIVERED") * 3,
)
AHEAD = (
    *(("PROCESSING", 0.0, 6.0),) * 2,
    ("CONFIRMED", 0.0, 6.0),
    *(("SHIPPED", 5.0, 11.0),) * 2,
    ("DELIVERED", 9.0, 22.0),
)
"""Which status staff set ahead of the workflow, and between which seconds of an order."""
TRIES, HASTY_TRIES = 300, 20
"""How often a caller tries: some times in haste, and then about once a minute, longer than any function is broken."""
SUPPORT, ADMIN, CUSTOMERS = ("sue", ("support",)), ("ann", ("admin",)), ("ada", "bob", "cyd", "dee")


@dataclass
class Wish:
    """One order, as its customer asks for it, and what came of asking. Who gives no id gets one with the answer."""

    number: int
    order_id: str
    customer: str
    body: Json
    key: str | None
    placed_at: float
    answered: int = 0
    ids: list[str] = field(default_factory=list)
    """The ids that the product has answered: the same each time."""
    promises: list[tuple[str, Json]] = field(default_factory=list)
    address: Json = None

    @property
    def is_placed(self) -> bool:
        """Whether the product has said that the order is placed."""
        return self.answered == 202


class People:
    """Everybody outside."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._under_way = 0
        self.wishes: list[Wish] = []
        self.reported: list[tuple[str, str]] = []
        """What the warehouse has put on the bus: order and event."""
        self.accepted: list[str] = []
        """The carrier's events that the product has accepted."""
        self._plans: tuple[tuple[float, Callable[[Wish], None]], ...] = (
            (0.10, self._cancels),
            (0.06, self._moves),
            (0.14, self._is_set),
            (0.04, self._is_looked_at),
            (0.12, self._is_synced),
            (0.06, self._is_reported),
            (0.03, self._comes_back),
            (0.05, self._has_arrived),
            (0.10, self._goes_back),
            (0.15, self._is_refunded),
            (0.08, self._is_held),
            (0.35, lambda wish: returning.customer(self._world, wish)),
            (0.20, lambda wish: drivers.warehouse(self._world, wish)),
            (0.20, lambda wish: parts.change_parts(self._world, wish)),
            (0.15, lambda wish: drivers.carrier(self._world, wish)),
        )

    def idle(self) -> bool:
        """Whether nobody waits for an answer, or is about to ask."""
        return self._under_way == 0

    # --- asking ---

    def ask(
        self,
        route: str,
        who: tuple[str, tuple[str, ...]],
        path: Json = None,
        body: Json = None,
        told: Told | None = None,
        key: str | None = None,
    ) -> None:
        """One request, made again until it is answered."""
        event = request(route, who, path or {}, body, key)
        self._send(ROUTES[route].function, event, told or _nothing, TRIES)
        if self._world.dice.happens("client repeats", ROUTES[route].function):
            self.later(
                self._world.dice.uniform(0, 3), lambda: self._send(ROUTES[route].function, event, told or _nothing, TRIES)
            )

    def send(self, route: str, event: Json, told: Told) -> None:
        """A request that was made up elsewhere."""
        self._send(ROUTES[route].function, event, told, TRIES)

    def _send(self, module: str, event: Json, told: Told, tries: int) -> None:
        world = self._world
        self._under_way += 1

        def answered(outcome: Outcome) -> None:
            self._under_way -= 1
            status = 502 if outcome.error else int(outcome.payload["statusCode"])
            if status >= 500 and tries:
                shortest, longest = (0.5, 8) if tries > TRIES - HASTY_TRIES else (30, 90)
                self.later(world.dice.uniform(shortest, longest), lambda: self._send(module, event, told, tries - 1))
                return
            body = json.loads(outcome.payload["body"]) if status < 500 and outcome.payload.get("body") else {}
            world.note(f"answer {module} {status} {body.get('code', '')}")
            told(status, body)

        world.functions.invoke(world.functions.of_module(module), event, answered)

    def later(self, seconds: float, what: Callable[[], object]) -> None:
        """Does something after so many seconds."""
        self._under_way += 1

        def begin() -> None:
            self._under_way -= 1
            what()

        self._world.loop.call_later(seconds, begin)

    # --- ordering ---

    def place(self, number: int) -> None:
        """A customer orders, and whatever else happens to that order is thought up."""
        dice = self._world.dice
        wish = self._wish(number)
        self.wishes.append(wish)
        self.ask(
            "POST /orders", (wish.customer, ()), {}, wish.body, lambda status, body: self._placed(wish, status, body), wish.key
        )
        for share, plan in self._plans:
            if dice.likely(share):
                plan(wish)
        if is_awaited(wish.body["payment"]):
            drivers.bank(self._world, wish)
        if wish.body.get("shortage") == "ask":
            shelves.answers(self._world, wish)
        if self._world.is_prepared_by_hand:
            parts.prepare(self._world, wish)
        if dice.likely(0.05):
            shelves.recount(self._world, number, SCARCE)
        if wish.body["require_approval"] or _total(wish.body) >= THRESHOLD:
            self._reviews(wish)

    def _wish(self, number: int) -> Wish:
        dice = self._world.dice
        customer = dice.pick(CUSTOMERS)
        order_id = f"o{number}" if dice.likely(0.7) else ""
        product = dice.pick((PLENTY,) * 8 + (DEAR, SCARCE, FREE))
        items = [{"product_id": product, "quantity": 1 + dice.below(3)}]
        if dice.likely(0.3):
            items.append({"product_id": dice.pick(tuple(name for name in STOCKED if name != product)), "quantity": 1})
        method = dice.pick(METHODS)
        address = {
            "name": "Ada",
            "line1": "12 St James's Square",
            "city": "London",
            "postal_code": dice.pick(PLACES),
            "country": "GB",
        }
        body = {
            **({"order_id": order_id} if order_id else {}),
            "items": items,
            "payment": {"method": method}
            | ({} if method == "CASH_ON_DELIVERY" else {"token": _token(method, dice.pick(TOKENS))}),
            "shipping_address": address,
            "require_approval": dice.likely(0.08),
        }
        if any(item["product_id"] == SCARCE for item in items):
            body |= shelves.policy(self._world)
        key = f"key-{number}" if dice.likely(0.7) or not order_id else None
        return Wish(number, order_id, customer, body, key, self._world.loop.now, address=address)

    def by_id(self) -> dict[str, Wish]:
        """The wishes by their orders' ids, as far as those are known."""
        return {wish.order_id: wish for wish in self.wishes if wish.order_id}

    def _placed(self, wish: Wish, status: int, body: Json) -> None:
        if status == 202:
            wish.order_id = body["order"]["order_id"]
            wish.ids.append(wish.order_id)
        if status == 409 and not wish.is_placed:
            # Without a key the first of two requests may have been the one that was taken: its order is there.
            self.ask(
                "GET /orders/{id}", (wish.customer, ()), {"id": wish.order_id}, None, lambda found, _: self._found(wish, found)
            )
        elif not wish.is_placed:
            wish.answered = status

    def _found(self, wish: Wish, status: int) -> None:
        wish.answered = 202 if status == 200 else wish.answered or status

    # --- what else happens to an order ---

    def _ask_of(self, wish: Wish, route: str, who: tuple[str, tuple[str, ...]], body: Json, promise: tuple[str, Json]) -> None:
        def told(status: int, _body: Json) -> None:
            if status == 200:
                wish.promises.append(promise)

        key = f"{route} {wish.number}" if self._world.dice.likely(0.5) else None
        if wish.order_id:
            self.ask(route, who, {"id": wish.order_id}, body, told, key)

    def _soon(self, seconds: float, what: Callable[[], object]) -> None:
        self.later(self._world.dice.uniform(0, seconds), what)

    def _cancels(self, wish: Wish) -> None:
        who = (wish.customer, ()) if self._world.dice.likely(0.7) else SUPPORT
        ask = lambda: self._ask_of(wish, "POST /orders/{id}/cancel", who, {"reason": "Not wanted"}, ("cancelled", None))  # noqa: E731
        self._soon(25, ask)

    def _moves(self, wish: Wish) -> None:
        elsewhere = wish.address | {"line1": "1 Ockham Park"}
        route = "PUT /orders/{id}/address"
        self._soon(15, lambda: self._ask_of(wish, route, (wish.customer, ()), elsewhere, ("moved", elsewhere)))

    def _is_set(self, wish: Wish) -> None:
        """Staff set a status by hand: often ahead of the workflow, which has not charged or shipped yet."""
        dice = self._world.dice
        wanted, first, last = AHEAD[dice.below(len(AHEAD))] if dice.likely(0.6) else (dice.pick(STATUSES), 0.0, 40.0)
        body, route = {"status": wanted, "reason": "By hand"}, "PATCH /orders/{id}/status"
        self.later(dice.uniform(first, last), lambda: self._ask_of(wish, route, SUPPORT, body, ("set", wanted)))

    def _is_looked_at(self, wish: Wish) -> None:
        who = (wish.customer, ())
        self._soon(90, lambda: self.ask("GET /orders", who))
        self._soon(90, lambda: self._ask_of(wish, "GET /orders/{id}/history", who, None, ("shown", None)))

    def _is_synced(self, wish: Wish) -> None:
        for _ in range(1 + self._world.dice.below(3)):
            self._soon(150, lambda: self._ask_of(wish, "POST /orders/{id}/sync", SUPPORT, {}, ("synced", None)))

    def _is_reported(self, wish: Wish) -> None:
        body, route = {"location": "Leipzig"}, "PUT /orders/{id}/shipment/location"
        self._soon(40, lambda: self._ask_of(wish, route, SUPPORT, body, ("located", None)))

    def _comes_back(self, wish: Wish) -> None:
        """Staff look the parcel up, and enter that it is back; often too early, or too late."""
        route = "POST /orders/{id}/shipments/{shipment_id}/returned"

        def told(status: int, body: Json) -> None:
            if status == 200 and body.get("shipment"):
                path = {"id": wish.order_id, "shipment_id": body["shipment"]["shipment_id"]}
                promise = (parts.CAME_BACK, path["shipment_id"])
                self.ask(route, SUPPORT, path, {"reason": "Nobody was there"}, partial(_promised, wish, promise))

        def look() -> None:
            if wish.order_id:
                self.ask("GET /orders/{id}", SUPPORT, {"id": wish.order_id}, None, told)

        self._soon(40, look)

    def _has_arrived(self, wish: Wish) -> None:
        self._soon(40, lambda: self._ask_of(wish, "POST /orders/{id}/delivered", SUPPORT, {}, ("delivered", None)))

    def _goes_back(self, wish: Wish) -> None:
        route = "POST /orders/{id}/return"
        self._soon(120, lambda: self._ask_of(wish, route, SUPPORT, {"reason": "Too small"}, ("returned", None)))

    def _is_held(self, wish: Wish) -> None:
        """Staff put the order on hold and, most often, let it go on; else the operator does in the end."""
        dice, begins = self._world.dice, self._world.dice.uniform(0, 15)
        hold = {"reason": "The address looks odd"}
        self.later(begins, lambda: self._ask_of(wish, "POST /orders/{id}/hold", SUPPORT, hold, ("held", None)))
        if dice.likely(0.8):
            ends = begins + dice.uniform(0, 90)
            self.later(ends, lambda: self._ask_of(wish, "POST /orders/{id}/release", SUPPORT, {}, ("released", None)))

    def _is_refunded(self, wish: Wish) -> None:
        """Staff give money back, at any moment: before it is there, and while the order is unwound."""
        for _ in range(1 + self._world.dice.below(3)):
            body = {**REFUNDS[self._world.dice.below(len(REFUNDS))], "reason": "Scratched"}
            ask = partial(self._ask_of, wish, "POST /orders/{id}/refunds", SUPPORT, body, ("refunded", None))
            self._soon(120, ask)

    def _reviews(self, wish: Wish) -> None:
        answer = self._world.dice.pick(("approve",) * 5 + ("reject", "reject", "silence"))
        if answer == "silence":
            return
        promise = ("approved" if answer == "approve" else "rejected", None)
        ask = partial(self._ask_of, wish, f"POST /orders/{{id}}/{answer}", SUPPORT, {}, promise)
        # Some answer before anybody waits for it, some in the last moment, or a moment too late.
        first, last = MOMENTS[self._world.dice.below(len(MOMENTS))]
        self.later(self._world.dice.uniform(first, last), ask)


def _token(method: str, drawn: str) -> str:
    """The token of a payment. Late money of a transfer that is not taken back ends as a dead letter, which nobody redrives."""
    return "tok_ok" if method == "BANK_TRANSFER" and drawn.startswith("tok_refund") else drawn


def is_awaited(payment: Json) -> bool:
    """Whether the customer, or their bank, decides such a payment later."""
    token = payment.get("token")
    if payment["method"] == "CASH_ON_DELIVERY" or token in ("tok_declined", "tok_insufficient_funds"):
        return False
    return payment["method"] == "BANK_TRANSFER" or token in WAITING_TOKENS


def _total(body: Json) -> int:
    return sum(PRICES[item["product_id"]] * item["quantity"] for item in body["items"])


def _promised(wish: Wish, promise: tuple[str, Json], status: int, _body: Json) -> None:
    if status == 200:
        wish.promises.append(promise)


def _nothing(_status: int, _body: Json) -> None:
    """Nobody waits for the answer."""


@cache
def token(subject: str, groups: tuple[str, ...]) -> str:
    """A bearer token as API Gateway has verified it."""
    claims = json.dumps({"sub": subject, "cognito:groups": list(groups)}).encode()
    return f"Bearer h.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.s"


def request(route: str, who: tuple[str, tuple[str, ...]], path: Json, body: Json, key: str | None) -> Json:
    """A request as API Gateway hands it on."""
    headers = {"authorization": token(*who)} | ({"idempotency-key": key} if key else {})
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": "/orders",
        "headers": headers,
        "requestContext": {"requestId": "request", "authorizer": {"jwt": {"claims": {"sub": who[0]}}}},
        "isBase64Encoded": False,
        "pathParameters": path,
        **({"body": json.dumps(body)} if body is not None else {}),
    }
