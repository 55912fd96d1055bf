"""The deployed product behind the engine: an order from the HTTP request to its end, and what it costs.

The definitions run on moto's interpreter, the handlers on moto's table; what the stream would bring is handed to its
consumer. Counted are the transitions AWS bills, the functions invoked, and each request that goes to DynamoDB.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from orders import settings
from orders.adapters import workflow
from orders.adapters.store import event_items, ledgers, orders, table
from orders.adapters.store.keys import charge_key
from orders.domain.identifiers import OrderId
from orders.domain.order import Snapshot
from tests.harness.bodies import a_body
from tests.harness.events import ALL_TAKEN, a_batch, a_message, a_record, http_event, invoke
from tests.statemachine.engines import Fails, MotoEngine, Reply

Act = Callable[["Shop"], None]
LEDGERS = ("GATEWAY#", "CARRIER#")
"""Where the simulated gateway and carrier keep their books: a real one keeps them elsewhere."""


@dataclass
class Costs:
    """What one order has cost so far."""

    transitions: int = 0
    invocations: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    """DynamoDB requests by the function that made them; those of the simulated parties apart."""
    transactions: int = 0

    @property
    def total_requests(self) -> int:
        """All of them, the simulated parties' too."""
        return self.requests.total()

    @property
    def own_requests(self) -> int:
        """Those that are left with a real gateway and a real carrier."""
        return self.total_requests - self.requests["(simulated parties)"]


class Shop:
    """The deployed product: a ``World`` for the engine, and the way in for customers."""

    def __init__(self, engine: MotoEngine) -> None:
        self.costs = Costs()
        self.before: dict[str, Act] = {}
        """What others do right before a function runs, once."""
        self.during: dict[str, Act] = {}
        """What others do while the machine waits for the answer to a function's token, once."""
        self._engine = engine
        self._running: str | None = None
        self._seen: dict[str, int] = {}
        self._given_out: set[str] = set()
        engine.meet(self)
        table.client().meta.events.register("before-call.dynamodb.*", self._count)

    # -- what the engine meets

    def invoke(self, function: str, payload: Any) -> Any:
        self._have_acted(self.before, function)
        try:
            return json.loads(json.dumps(self._run(function, payload)))
        except Exception as error:  # noqa: BLE001 - as Lambda does, whatever it is
            return Fails(type(error).__name__, str(error))

    def reply(self, function: str, token: str) -> Reply | None:
        """Others act while the workflow waits; the stream then answers the token. The engine asks when it is given out, too."""
        if token in self._given_out:
            self._have_acted(self.during, function)
        self._given_out.add(token)
        return None

    def _have_acted(self, acts: dict[str, Act], function: str) -> None:
        if act := acts.pop(function, None):
            act(self)
            self._follow(self._order_id)

    # -- what people do

    def place(self, order_id: str, *, review: str | None = None, **fields: Any) -> Snapshot:
        """Places an order and lives it to its end; answers what is left of it."""
        self._order_id = order_id
        if review is not None:
            self.during["request_approval"] = lambda shop: shop.staff(review)
        body = a_body(order_id=order_id, **{"require_approval": review is not None, **fields})
        answer = self._http("place_order", "POST /orders", None, body=body)
        assert answer["statusCode"] == 202, answer
        self._follow(order_id)
        self.costs.transitions += self._transitions()
        return orders.load(OrderId(order_id))

    def cancel(self, order_id: str) -> Snapshot:
        """Cancels it; answers what is left of it."""
        answer = self._http("change_order", "POST /orders/{id}/cancel", order_id, body={})
        assert answer["statusCode"] == 200, answer
        self._follow(order_id)
        return orders.load(OrderId(order_id))

    def staff(self, route: str, **body: Any) -> None:
        """Support changes the order that is under way."""
        self._http("change_order", f"POST /orders/{{id}}/{route}", self._order_id, group="support", body=body)

    def event(self, kind: str, function: str, **said: Any) -> None:
        """Others report something of the order that is under way, on the bus."""
        detail = {"detail-type": kind, "source": "others", "detail": {"order_id": self._order_id, **said}}
        assert self._run(function, a_batch([a_message(json.dumps(detail))])) == ALL_TAKEN

    def _http(self, function: str, route: str, order_id: str | None, *, group: str = "", body: Any) -> dict[str, Any]:
        claims, path = {"sub": "ada", "cognito:groups": [group]}, {"id": order_id} if order_id else None
        answer: dict[str, Any] = self._run(function, http_event(route, path=path, claims=claims, body=json.dumps(body)))
        return answer

    def _follow(self, order_id: str) -> None:
        """The stream: each event with a follow-up is brought to its consumer once, and what that starts is run to its end."""
        while fresh := [event for event in orders.history(OrderId(order_id), self._seen.get(order_id, 0)) if event.follow_up]:
            for event in fresh:
                self._seen[order_id] = event.version
                image = event_items.event_to_item(event)
                assert self._run("drive_workflow", a_batch([a_record(image)])) == ALL_TAKEN

    # -- counting

    def _run(self, function: str, event: Any) -> Any:
        outer, self._running = self._running, function
        self.costs.invocations[function] += 1
        try:
            return invoke(function, event)
        finally:
            self._running = outer

    def _count(self, params: Any, **_: Any) -> None:
        if self._running:
            simulated = any(ledger in params["body"].decode() for ledger in LEDGERS)
            self.costs.requests["(simulated parties)" if simulated else self._running] += 1
            self.costs.transactions += params["headers"]["X-Amz-Target"].endswith("TransactWriteItems")

    def _transitions(self) -> int:
        billed = 0
        for execution in self._executions():
            kinds = [event["type"] for event in self._engine.history(execution["executionArn"])]
            entered = sum(kind.endswith("StateEntered") for kind in kinds)
            billed += 1 + entered + kinds.count("TaskScheduled") - kinds.count("TaskStateEntered")
        return billed

    def histories(self) -> list[tuple[str, str]]:
        """Everything that the last order's executions show, as text, and how each has ended; the fulfillment first."""
        found = [(self._engine.history(one["executionArn"]), one["status"]) for one in self._executions()]
        return [(json.dumps(events, default=str), status) for events, status in found]

    def paths(self) -> list[list[str]]:
        """The states that each of the last order's executions has entered, the fulfillment first."""
        histories = [self._engine.history(one["executionArn"]) for one in self._executions()]
        kind = "stateEnteredEventDetails"
        return [[str(event[kind]["name"]) for event in events if kind in event] for events in histories]

    def _executions(self) -> Iterator[Any]:
        client = self._engine.client
        for machine in (settings.fulfill_machine_arn(), settings.unwind_machine_arn()):
            every = client.list_executions(stateMachineArn=machine)["executions"]
            # The service names the latest first.
            yield from (one for one in reversed(every) if workflow.order_of_execution(one["name"]) == self._order_id)


def charge_of(snapshot: Snapshot) -> str | None:
    """What the gateway's books say of the order's payment."""
    assert snapshot.payment
    entry = ledgers.entry(charge_key(snapshot.payment.payment_id))
    return entry.state if entry else None
