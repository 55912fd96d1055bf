"""Everybody pulls at the same orders at the same time; afterwards the books of the whole stack are read.

Whatever the outcome of a race is, money, stock, parcels and audit trails must tell the same story: see ``books``.
"""

import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import FULL
from tests.harness.bodies import ELSEWHERE, HOME, a_body
from tests.harness.books import Books, at_rest
from tests.harness.stacks import Deployment, Served, until

# The simulator tries the same races in virtual time, move by move, with hundreds of orders: here it is the whole stack's locks.
MANY = 200 if FULL else 36
SOME = 60 if FULL else 10

Act = Callable[[], httpx.Response]


def loaded_dice(seed: str = "2026-11-20") -> random.Random:
    """The same moments in every run, as far as the machine lets them be."""
    return random.Random(seed)  # noqa: S311 - chance, not a secret


@pytest.fixture
def crew() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(24) as pool:
        yield pool


def placed(stack: Deployment, crew: ThreadPoolExecutor, count: int, **wish: Any) -> list[str]:
    """So many orders, placed side by side."""
    answers = [crew.submit(stack.ada.place, **wish) for _ in range(count)]
    return [answer.result()["order"]["order_id"] for answer in answers]


def after(seconds: float, act: Act) -> Act:
    """The same, a moment later: races are run at chosen moments, not waited out."""

    def acting() -> httpx.Response:
        time.sleep(seconds)
        return act()

    return acting


def together(crew: ThreadPoolExecutor, acts: Sequence[Act]) -> list[int]:
    """Lets them all loose; nobody may ever get anything but a success or a plain refusal."""
    answers = [future.result() for future in [crew.submit(act) for act in acts]]
    odd = [answer.text for answer in answers if answer.status_code not in (200, 202, 409, 412)]
    assert odd == []
    return [answer.status_code for answer in answers]


def check(stack: Served, stocked: dict[str, int]) -> Books:
    books = at_rest(stack)
    assert books.errors(stocked) == []
    assert stack.crashes() == []
    return books


def own_product(stack: Deployment, stock: int) -> dict[str, int]:
    return {stack.a_product(f"race-{uuid.uuid4().hex[:8]}", stock): stock}


@pytest.mark.parametrize("waiting", ["swift", "steady"])
@pytest.mark.parametrize("method", ["CREDIT_CARD", "CASH_ON_DELIVERY"])
def test_cancelling_at_any_moment(waiting: str, method: str, crew: ThreadPoolExecutor, request: pytest.FixtureRequest) -> None:
    stack: Served = request.getfixturevalue(f"local_{waiting}")
    dice, stocked = loaded_dice(), own_product(stack, 1000)
    (product,) = stocked
    within = 1.3 if waiting == "steady" else 0.3

    told: dict[str, int] = {}

    def one(seconds: float) -> httpx.Response:
        order_id = stack.ada.place(product=product, method=method)["order"]["order_id"]
        time.sleep(seconds)
        answer = stack.ada.post(f"/orders/{order_id}/cancel")
        told[order_id] = answer.status_code
        return answer

    moments = [dice.uniform(0, within) for _ in range(MANY)]
    together(crew, [lambda seconds=seconds: one(seconds) for seconds in moments])  # type: ignore[misc]
    books = check(stack, stocked)
    # Which of them come in time is left to chance; each has become what its customer was told.
    for order_id, code in told.items():
        assert books.statuses([order_id]) == {"CANCELLED" if code == 200 else "DELIVERED": 1}


def test_cancelling_twice_is_done_once(local_steady: Served, crew: ThreadPoolExecutor) -> None:
    stack, stocked = local_steady, own_product(local_steady, 1000)
    orders = placed(stack, crew, SOME, product=next(iter(stocked)))
    for order_id in orders:
        people = (stack.ada, stack.ada, stack.support)
        codes = together(crew, [lambda who=who, o=order_id: who.post(f"/orders/{o}/cancel") for who in people])  # type: ignore[misc]
        assert codes.count(200) <= 1
    check(stack, stocked)


def test_approving_against_the_time_out(local_hasty: Served, crew: ThreadPoolExecutor) -> None:
    stack, stocked, dice = local_hasty, own_product(local_hasty, 1000), loaded_dice()
    orders = placed(stack, crew, SOME, product=next(iter(stocked)), require_approval=True)
    expires = [datetime.fromisoformat(stack.ada.order(order_id)["order"]["approval"]["expires_at"]) for order_id in orders]

    def answering(order_id: str, at: datetime) -> Act:
        verb = dice.choice(["approve", "approve", "reject"])
        wait = (at - datetime.now(UTC)).total_seconds() + dice.uniform(-0.15, 0.15)
        return after(max(0.0, wait), lambda: stack.support.post(f"/orders/{order_id}/{verb}"))

    with ThreadPoolExecutor(SOME) as enough:
        codes = together(enough, [answering(order_id, at) for order_id, at in zip(orders, expires, strict=True)])
    books = at_rest(stack)
    assert books.errors(stocked) == []
    for order_id, code in zip(orders, codes, strict=True):
        approval = stack.ada.order(order_id)["order"]["approval"]["status"]
        assert (approval in ("APPROVED", "REJECTED")) is (code == 200), f"{order_id} was answered {code} and is {approval}"
        assert books.statuses([order_id]) == {"DELIVERED" if approval == "APPROVED" else "CANCELLED": 1}


def test_approving_against_rejecting_and_cancelling(local_steady: Served, crew: ThreadPoolExecutor) -> None:
    stack, stocked = local_steady, own_product(local_steady, 1000)
    for order_id in placed(stack, crew, SOME, product=next(iter(stocked)), require_approval=True):
        acts = [
            lambda verb=verb, o=order_id: stack.support.post(f"/orders/{o}/{verb}") for verb in ("approve", "reject", "cancel")
        ]
        loaded_dice(order_id).shuffle(acts)
        together(crew, acts)
    check(stack, stocked)


@pytest.mark.parametrize("method", ["CREDIT_CARD", "CASH_ON_DELIVERY"])
def test_returning_against_returning(local_swift: Served, crew: ThreadPoolExecutor, method: str) -> None:
    stack, stocked = local_swift, own_product(local_swift, 1000)
    orders = placed(stack, crew, SOME, product=next(iter(stocked)), method=method)
    for order_id in orders:
        stack.ada.until_status(order_id, "DELIVERED")
        codes = together(crew, [lambda o=order_id: stack.support.post(f"/orders/{o}/return") for _ in range(3)])  # type: ignore[misc]
        assert sorted(codes) == [200, 409, 409]
    check(stack, stocked)
    assert at_rest(stack).statuses(orders) == {"RETURNED": len(orders)}


@pytest.mark.parametrize(
    "pair",
    [("PROCESSING", "PROCESSING"), ("PROCESSING", "CANCELLED"), ("SHIPPED", "SHIPPED"), ("SHIPPED", "CANCELLED")],
    ids="-".join,
)
@pytest.mark.parametrize("versioned", [True, False], ids=["if-match", "blind"])
def test_two_patches_of_one_order(
    local_steady: Served, crew: ThreadPoolExecutor, pair: tuple[str, str], versioned: bool
) -> None:
    stack, stocked = local_steady, own_product(local_steady, 1000)
    orders = placed(stack, crew, SOME, product=next(iter(stocked)))
    needed = "PENDING" if "PROCESSING" in pair else "PROCESSING"
    for order_id in orders:
        found = stack.ada.until_status(order_id, needed, "PROCESSING", "SHIPPED", "DELIVERED")
        headers = {"if_match": f'"{found["order"]["version"]}"'} if versioned else {}
        codes = together(
            crew,
            [
                lambda wanted=wanted, o=order_id, h=headers: stack.support.patch(f"/orders/{o}/status", {"status": wanted}, **h)  # type: ignore[misc]
                for wanted in pair
            ],
        )
        if versioned:
            assert codes.count(200) <= 1, (
                f"both writers of version {found['order']['version']} of {order_id} were told it is theirs"
            )
    check(stack, stocked)


def test_patching_against_the_workflow(local_swift: Served, crew: ThreadPoolExecutor) -> None:
    stack, stocked, dice = local_swift, own_product(local_swift, 1000), loaded_dice()
    product = next(iter(stocked))

    def one(method: str, wanted: str, seconds: float) -> httpx.Response:
        order_id = stack.ada.place(product=product, method=method)["order"]["order_id"]
        time.sleep(seconds)
        return stack.support.patch(f"/orders/{order_id}/status", {"status": wanted, "reason": "By hand"})

    wishes = [
        (dice.choice(["CREDIT_CARD", "CASH_ON_DELIVERY"]), wanted, dice.uniform(0, 0.15))
        for wanted in ("CONFIRMED", "PROCESSING", "SHIPPED", "DELIVERED", "CANCELLED", "RETURNED")
        for _ in range(SOME)
    ]
    together(crew, [lambda wish=wish: one(*wish) for wish in wishes])  # type: ignore[misc]
    check(stack, stocked)


def test_changing_the_address_against_the_dispatch(local_steady: Served, crew: ThreadPoolExecutor) -> None:
    stack, stocked, dice = local_steady, own_product(local_steady, 1000), loaded_dice()
    product = next(iter(stocked))

    told: dict[str, tuple[str, int]] = {}

    def one(seconds: float, line1: str) -> httpx.Response:
        order_id = stack.ada.place(product=product)["order"]["order_id"]
        time.sleep(seconds)
        answer = stack.ada.put(f"/orders/{order_id}/address", ELSEWHERE | {"line1": line1})
        told[order_id] = (line1, answer.status_code)
        return answer

    together(crew, [lambda n=n: one(dice.uniform(0.2, 0.9), f"{n} Ockham Park") for n in range(MANY)])  # type: ignore[misc]
    books = check(stack, stocked)
    for order_id, (line1, code) in told.items():
        assert books.accounts[order_id].order.shipping_address.line1 == (line1 if code == 200 else HOME["line1"])


@pytest.mark.parametrize("method", ["CREDIT_CARD", "CASH_ON_DELIVERY"])
def test_delivering_by_hand_against_the_timer(local_steady: Served, crew: ThreadPoolExecutor, method: str) -> None:
    stack, stocked, dice = local_steady, own_product(local_steady, 1000), loaded_dice()
    orders = placed(stack, crew, SOME, product=next(iter(stocked)), method=method)

    def one(order_id: str, seconds: float) -> httpx.Response:
        stack.ada.until_status(order_id, "SHIPPED", "DELIVERED")
        time.sleep(seconds)
        return stack.carrier.post(f"/orders/{order_id}/delivered")

    moments = [(order_id, dice.uniform(0.2, 0.4)) for order_id in orders]
    together(crew, [lambda o=o, s=s: one(o, s) for o, s in moments])  # type: ignore[misc]
    check(stack, stocked)
    assert at_rest(stack).statuses(orders) == {"DELIVERED": len(orders)}


def event(order_id: str, status: str) -> dict[str, Any]:
    """News of the fulfillment, as it stands on the bus."""
    return {
        "event_type": "fulfillment.status_changed",
        "event_id": str(uuid.uuid4()),
        "fulfillment_id": f"ful-{order_id}",
        "order_id": order_id,
        "old_status": None,
        "new_status": status,
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def test_cancelling_against_the_news_of_the_fulfillment(local_steady: Served, crew: ThreadPoolExecutor) -> None:
    stack, stocked, dice = local_steady, own_product(local_steady, 1000), loaded_dice()
    product = next(iter(stocked))
    queue, sqs = stack.aws_names["FulfillmentEvents"], stack.aws("sqs")

    def one(method: str, news: list[str], seconds: float) -> httpx.Response:
        order_id = stack.ada.place(product=product, method=method)["order"]["order_id"]
        time.sleep(seconds)
        for status in news:
            told = event(order_id, status)
            for _ in range(dice.choice([1, 2])):
                sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(told))
        return stack.ada.post(f"/orders/{order_id}/cancel")

    told = [
        ["planning"],
        ["shipped"],
        ["completed"],
        ["cancelled"],
        ["completed", "cancelled", "picking"],
        ["packed", "shipped"],
    ]
    wishes = [(dice.choice(["CREDIT_CARD", "CASH_ON_DELIVERY"]), dice.choice(told), dice.uniform(0, 0.8)) for _ in range(MANY)]
    together(crew, [lambda wish=wish: one(*wish) for wish in wishes])  # type: ignore[misc]
    wait_for_queue(stack, queue)
    check(stack, stocked)


def wait_for_queue(stack: Served, queue: str) -> None:
    counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")

    def empty() -> bool:
        found = stack.aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=list(counts))["Attributes"]
        return all(found[name] == "0" for name in counts)

    until(empty, what="an empty queue")


def test_one_key_makes_one_order(swift: Deployment, crew: ThreadPoolExecutor) -> None:
    for attempt in range(SOME):
        customer = swift.as_(f"keyed-{uuid.uuid4().hex[:8]}")
        key = f"key {attempt} {uuid.uuid4()}"
        answers = [crew.submit(customer.post, "/orders", a_body(), idempotency_key=key) for _ in range(6)]
        answers += [crew.submit(customer.post, "/orders", a_body(method="BANK_TRANSFER"), idempotency_key=key)]
        codes = Counter(answer.result().status_code for answer in answers)
        assert codes in ({202: 6, 422: 1}, {202: 1, 422: 6})
        assert (
            len({answer.result().json()["order"]["order_id"] for answer in answers if answer.result().status_code == 202}) == 1
        )
        assert len(customer.get("/orders").json()["orders"]) == 1


def test_a_list_holds_every_order_once_while_orders_move(local_steady: Served, crew: ThreadPoolExecutor) -> None:
    stack = local_steady
    customer = stack.as_(f"lister-{uuid.uuid4().hex[:8]}")
    known = [customer.place()["order"]["order_id"] for _ in range(30)]

    def everything(path: str) -> list[str]:
        found: list[str] = []
        cursor = ""
        while True:
            page = stack.support.get(f"{path}&limit=7{cursor}").json()
            found += [order["order_id"] for order in page["orders"]]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    for _ in range(3):
        lists = [crew.submit(everything, f"/orders?customer_id={customer.subject}") for _ in range(4)]
        assert all(listed.result() == known[::-1] for listed in lists)
    check(stack, {})
