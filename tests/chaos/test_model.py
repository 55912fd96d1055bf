"""One order, whatever people do to it and in whatever order, beside a model that fits on a page.

The workflow's own waits are an hour long, so that nothing moves the order but those who are asked to.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from local.cli.client import Api, Refused
from local.stack.running import running, wait_until
from local.stack.settings import Settings
from local.stack.stack import Stack
from orders.domain.statuses import transitions
from tests.harness.bodies import HOME, a_body

LONG = dict.fromkeys(("PaymentWaitSeconds", "PreparationWaitSeconds", "DeliveryWaitSeconds"), "3600")
MAY_BECOME = transitions()  # compared with docs/behavior.md#statuses by tests/unit/test_statuses.py
BEFORE_SHIPPING = {"PENDING", "CONFIRMED", "PROCESSING"}
ENDED = {"CANCELLED", "RETURNED"}
PRODUCT, STOCK = "model-mug", 1_000_000

_numbers = itertools.count()
_stacks: list[Stack] = []


@pytest.fixture(scope="module", autouse=True)
def stack() -> Iterator[Stack]:
    with running(Settings(parameters=LONG)) as started:
        body = {"name": "Mug", "unit_price": {"amount": 1000, "currency": "USD"}, "stock": STOCK}
        Api(started.url, started.token("ann", ["admin"])).call("PUT", f"/products/{PRODUCT}", body)
        _stacks.append(started)
        yield started
        _stacks.clear()


class OneOrder(RuleBasedStateMachine):
    """What ``docs/behavior.md#statuses`` says of an order's status, and nothing of how it is done."""

    @initialize(cash=st.booleans(), review=st.booleans(), quantity=st.integers(1, 3))
    def place(self, cash: bool, review: bool, quantity: int) -> None:
        (stack,) = _stacks
        self.ada = Api(stack.url, stack.token("ada"))
        self.sue = Api(stack.url, stack.token("sue", ["support"]))
        self.order_id = f"model-{next(_numbers)}"
        self.path = f"/orders/{self.order_id}"
        self.cash, self.review, self.quantity = cash, review, quantity
        self.stock_before = self._stock()
        method = "CASH_ON_DELIVERY" if cash else "CREDIT_CARD"
        more: dict[str, Any] = {"method": method, "require_approval": review}
        body = a_body(order_id=self.order_id, product=PRODUCT, quantity=quantity, **more)
        self.ada.call("POST", "/orders", body)
        self.status, self.address = "PENDING", HOME["line1"]
        # The first steps of the workflow need no wait: they come to rest before anybody else is let in.
        wait_until(lambda: self._steps()[1]["status"] == ("IN_PROGRESS" if review else "SKIPPED"))
        if review:
            wait_until(lambda: len(self.ada.call("GET", f"{self.path}/history")["history"]) == 3)
        self.version = self._order()["version"]

    @rule(wanted=st.sampled_from(sorted(MAY_BECOME)))
    def set_status(self, wanted: str) -> None:
        allowed = wanted in MAY_BECOME[self.status]
        if self.status == "PENDING" and self.review and wanted != "CANCELLED":
            allowed = False
        if wanted == "CONFIRMED" and not self.cash:
            allowed = False
        self._do(allowed, wanted, "PATCH", "status", {"status": wanted})

    @rule()
    def cancel(self) -> None:
        self._do(self.status in BEFORE_SHIPPING, "CANCELLED", "POST", "cancel", {})

    @rule()
    def give_back(self) -> None:
        self._do(self.status == "DELIVERED", "RETURNED", "POST", "return", {})

    @rule()
    def report_delivery(self) -> None:
        self._do(self.status == "SHIPPED", "DELIVERED", "POST", "delivered", {})

    @rule(answer=st.sampled_from(["approve", "reject"]))
    def review_it(self, answer: str) -> None:
        allowed = self.review and self.status == "PENDING"
        self._do(allowed, "CANCELLED" if answer == "reject" else self.status, "POST", answer, {})
        self.review = self.review and not allowed

    @rule(line=st.sampled_from(["1 Ockham Park", "2 Dorset Street"]))
    def send_it_elsewhere(self, line: str) -> None:
        allowed = self.status in BEFORE_SHIPPING
        changes = line != self.address
        self._do(allowed, self.status, "PUT", "address", HOME | {"line1": line}, changes=changes)
        self.address = line if allowed else self.address

    @rule()
    def say_where_it_is(self) -> None:
        self._do(self.status == "SHIPPED", self.status, "PUT", "shipment/location", {"location": "Leipzig"})

    @rule()
    def sync(self) -> None:
        """There is nothing to be repaired, so nothing changes."""
        self._do(allowed=True, status=self.status, method="POST", what="sync", body={}, changes=False)

    @invariant()
    def it_is_what_the_model_says(self) -> None:
        if not hasattr(self, "status"):
            return
        found = self.ada.call("GET", self.path)
        order, payment = found["order"], found["payment"]
        assert (order["status"], order["shipping_address"]["line1"]) == (self.status, self.address)
        assert order["version"] == self.version
        paid = {"PROCESSING": not self.cash, "SHIPPED": not self.cash, "DELIVERED": True}.get(self.status, False)
        assert (payment is not None and payment["status"] == "COMPLETED") is paid
        assert self._stock() == self.stock_before - (0 if self.status in ENDED else self.quantity)

    # --- how it is asked ---

    def _do(self, allowed: bool, status: str, method: str, what: str, body: Any, *, changes: bool = True) -> None:
        answer, refused = self._told(method, what, body)
        assert (refused is None) is allowed, f"{what} of {self.status}: {refused or 'was let through'}"
        if refused:
            assert refused.status == 409
            return
        if changes:
            assert answer["order"]["version"] > self.version
        if status in ENDED and self.status not in ENDED:
            wait_until(lambda: self.ada.call("GET", f"{self.path}/status")["overall_status"] == "ROLLED_BACK")
        self.status, self.version = status, self._order()["version"]

    def _told(self, method: str, what: str, body: Any) -> tuple[Any, Refused | None]:
        try:
            return self.sue.call(method, f"{self.path}/{what}", body), None
        except Refused as refused:
            return None, refused

    def _order(self) -> Any:
        return self.ada.call("GET", self.path)["order"]

    def _steps(self) -> Any:
        return self.ada.call("GET", f"{self.path}/status")["steps"]

    def _stock(self) -> int:
        return int(Api(_stacks[0].url).call("GET", f"/products/{PRODUCT}")["stock"])


def test_an_order_does_what_the_model_does() -> None:
    quick = settings(
        max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
    )
    run_state_machine_as_test(OneOrder, settings=quick)
