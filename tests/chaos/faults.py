"""A fault at every seam of the running product, chosen by a seed.

What happens to the n-th call of a function depends on the seed, the function and n alone. Faults stand where AWS and the
world have theirs: around an invocation, before and after each call of a service, inside the gateway and the carrier.
"""

import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError, ReadTimeoutError

from local.lambda_runtime import invocations, streams
from local.lambda_runtime.lambdas import Call, Invocation, Killed
from local.stack.stack import Stack
from local.step_functions.execution import Execution
from orders.adapters.carriers.simulated import SimulatedCarrier
from orders.adapters.payments.simulated import SimulatedGateway
from orders.domain.errors import CarrierUnavailable, GatewayUnavailable, OutcomeUnknown
from orders.domain.payment import GatewayOutcome, OutcomeKind
from orders.services import changes

Json = Any

API = ("place-order", "read-orders", "watch-status", "change-order", "repair-order", "manage-", "show-", "read-analytics")
EFFECTS = {
    "TransactWriteItems",
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "PutEvents",
    "StartExecution",
    "StopExecution",
    "SendTaskSuccess",
    "SendTaskFailure",
    "SendMessage",
    "Publish",
}
LATER = 40
"""How many invocations of a function lie between an event and its late repetition, at most."""
GATEWAY = ("open", "authorize", "capture", "void", "refund", "look_up")
SKEW = 2.0
"""How many seconds a function's clock is wrong, at most."""


@dataclass
class Fate:
    """What is to happen to one invocation: at its ``at``-th effect, or as a whole."""

    what: str
    at: int
    dice: random.Random
    seen: int = 0
    skew: float = 0.0


@dataclass
class Faults:
    """Switched on after the stack has started, and off again so that everything can come to rest."""

    seed: int
    rate: float
    folder: Path
    on: bool = False
    happened: Counter[str] = field(default_factory=Counter)
    _calls: Counter[str] = field(default_factory=Counter)
    _past: dict[str, deque[tuple[int, Invocation, Call]]] = field(default_factory=dict)
    _here: threading.local = field(default_factory=threading.local)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def install(self, stack: Stack) -> None:
        """Takes every seam."""
        self._published = (self.folder / "published.jsonl").open("a", encoding="utf-8")
        stack.lambdas.wrappers.append(self.invoked)
        self._take_calls()
        self._take_providers()
        self._take_clock()

    # --- around an invocation ---

    def invoked(self, invocation: Invocation, call: Call) -> Json:
        """One invocation, and what becomes of it."""
        name = invocation.function.removeprefix("orders-")
        fate = self._fate(name) if self.on else None
        late = self._late(name, invocation, call) if fate and not name.startswith(API) else None
        if late:
            # An old event once more, long after what came behind it.
            self._quietly(late)
        self._here.fate = fate
        try:
            if fate and fate.what == "twice" and not name.startswith(API):
                self._told("invoked twice")
                self._quietly(lambda: call(invocation))
            answer = call(_stirred(invocation, fate) if fate else invocation)
            if fate and fate.what == "forgotten" and "Records" in invocation.event:
                self._told("a batch brought again")
                raise Killed
            return answer
        finally:
            self._here.fate = None

    def _fate(self, name: str) -> Fate:
        with self._lock:
            self._calls[name] += 1
            number = self._calls[name]
        dice = random.Random(f"{self.seed}:{name}:{number}")  # noqa: S311 - chance, to be had again
        kinds = ("kill before", "kill after", "throttled", "failing", "answer lost", "twice", "forgotten", "provider")
        what = dice.choice(kinds) if dice.random() < self.rate else "nothing"
        skew = random.Random(f"{self.seed}:{name}").uniform(-SKEW, SKEW)  # noqa: S311
        return Fate(what, dice.randint(1, 4), dice, skew=skew)

    def _late(self, name: str, invocation: Invocation, call: Call) -> Callable[[], Json] | None:
        with self._lock:
            past = self._past.setdefault(name, deque())
            number = self._calls[name]
            dice = random.Random(f"{self.seed}:{name}:{number}:late")  # noqa: S311
            due = past.popleft() if past and past[0][0] <= number else None
            if dice.random() < self.rate / 4:
                past.append((number + dice.randint(1, LATER), invocation, call))
        if due is None:
            return None
        self._told("an old event once more")
        return lambda: due[2](due[1])

    def _quietly(self, call: Callable[[], Json]) -> None:
        """Whatever it answers, nobody hears it; only the harness's own mistakes may rise."""
        self._here.fate = None
        try:
            call()
        except Exception:  # noqa: BLE001 - as the service does with the answer of a repeated delivery
            self._told("a repeated invocation was refused")

    def _told(self, what: str) -> None:
        with self._lock:
            self.happened[what] += 1

    # --- around a call of a service ---

    def _take_calls(self) -> None:
        client: Any = BaseClient
        original = client._make_api_call

        def call(this: Any, name: str, parameters: Json) -> Json:
            fate: Fate | None = getattr(self._here, "fate", None)
            if fate is None or not self._is_its_turn(fate, name):
                answer = original(this, name, parameters)
            else:
                answer = self._faulty(fate, name, lambda: original(this, name, parameters))
            if name == "PutEvents":
                self._note(parameters)
            return answer

        client._make_api_call = call

    def _is_its_turn(self, fate: Fate, name: str) -> bool:
        if name not in EFFECTS and fate.what not in ("throttled", "failing"):
            return False
        fate.seen += 1
        return fate.seen == fate.at

    def _faulty(self, fate: Fate, name: str, call: Callable[[], Json]) -> Json:
        on_table = name in ("TransactWriteItems", "PutItem", "UpdateItem", "GetItem", "Query", "BatchGetItem", "DeleteItem")
        self._told(f"{fate.what}: {name}" if fate.what in ("kill before", "kill after", "answer lost") else fate.what)
        if fate.what == "kill before":
            raise Killed
        if fate.what == "throttled" and on_table:
            raise _refusal("ProvisionedThroughputExceededException", name)
        if fate.what == "failing" and on_table:
            raise _refusal("InternalServerError", name)
        answer = call()
        if fate.what == "kill after":
            raise Killed
        if fate.what == "answer lost" and on_table:
            raise ReadTimeoutError(endpoint_url="http://table")
        return answer

    def _note(self, parameters: Json) -> None:
        """What the bus has taken; written where a killed stack leaves it."""
        lines = [entry["Detail"] + "\n" for entry in parameters["Entries"] if entry["Source"] == "orders"]
        with self._lock:
            self._published.writelines(lines)
            self._published.flush()

    # --- gateway and carrier ---

    def _take_providers(self) -> None:
        for kind, names, fault in (
            (SimulatedGateway, GATEWAY, GatewayUnavailable),
            (SimulatedCarrier, ("book", "recall"), CarrierUnavailable),
        ):
            for name in names:
                setattr(kind, name, self._provider(getattr(kind, name), fault))

    def _provider(self, original: Callable[..., Any], unavailable: type[Exception]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            fate: Fate | None = getattr(self._here, "fate", None)
            if fate is None or fate.what != "provider":
                return original(*arguments)
            how = fate.dice.choice(("slow", "fails", "times out before", "times out after"))
            self._told(f"{original.__qualname__} {how}")
            if how == "fails":
                raise unavailable("It did not answer.")
            if how == "times out before":
                return _unknown(original, unavailable)
            if how == "slow":
                time.sleep(0.05)
            answer = original(*arguments)
            return _unknown(original, unavailable) if how == "times out after" else answer

        return call

    # --- clocks ---

    def _take_clock(self) -> None:
        here = self._here

        class Skewed(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> "datetime":  # type: ignore[override]
                fate: Fate | None = getattr(here, "fate", None)
                return datetime.now(tz or UTC) + timedelta(seconds=fate.skew if fate else 0.0)

        vars(changes)["datetime"] = Skewed


def _unknown(original: Callable[..., Any], unavailable: type[Exception]) -> GatewayOutcome:
    """What is known of a call without a response: the payment provider's outcome says so itself."""
    if original.__name__ == "open":
        raise unavailable("It did not answer in time.")
    if original.__name__ in GATEWAY:
        return GatewayOutcome(OutcomeKind.UNKNOWN)
    raise OutcomeUnknown("It did not answer in time.")


def _stirred(invocation: Invocation, fate: Fate) -> Invocation:
    """Messages of a queue come in any order, and some of them twice."""
    records = invocation.event.get("Records") if isinstance(invocation.event, dict) else None
    if not records or "messageId" not in records[0] or fate.what == "nothing":
        return invocation
    stirred = [*fate.dice.sample(records, len(records)), fate.dice.choice(records)]
    return Invocation(invocation.function, {"Records": stirred}, invocation.request_id)


def _refusal(code: str, name: str) -> ClientError:
    told: Any = {"Error": {"Code": code, "Message": "by chance"}, "ResponseMetadata": {"HTTPStatusCode": 500}}
    return ClientError(told, name)


def hurry(stack: Stack) -> None:
    """A run takes seconds: tries follow one another within milliseconds; what is tried, and how often, stays."""
    original = Execution._retry_delay

    def delay(self: Any, *arguments: Any) -> float | None:
        found = original(self, *arguments)
        return None if found is None else found / 20

    Execution._retry_delay = delay  # type: ignore[method-assign,assignment]
    invocations.PAUSES = (0.05, 0.1)
    streams.backoff = lambda tries: min(0.01 * 2.0 ** (tries - 1), 0.5)
    for feed in stack.queues.values():
        feed.queue._queue["attributes"]["VisibilityTimeout"] = "1"  # type: ignore[attr-defined]


def published(folder: Path) -> list[dict[str, Any]]:
    """Everything the bus has taken, in that order; the last line may have been cut off by a kill."""
    found = []
    for line in (folder / "published.jsonl").read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
