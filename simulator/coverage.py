"""What the histories have met of all that may go wrong: each fault, at each of its moments, in each step.

The list is derived: the steps from the domain's table, the faults and their moments from the table of faults, who is fed by
whom from the template. ``CALLS`` alone is written down: what each function calls. One that calls something else is reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from orders.domain.steps import DEFINITIONS, UNWINDING
from simulator.faults import PARTIES, around
from simulator.wiring import Wiring

Cell = tuple[str, str, str, str]
"""A function or another place, a call of it, a fault, its moment."""

_CHANGE = ("Query", "TransactWriteItems")
CALLS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "reserve_stock": _CHANGE,
        "request_approval": (*_CHANGE, "SendTaskSuccess"),
        "charge_payment": (*_CHANGE, "GetItem", "UpdateItem", "open", "authorize", "look_up"),
        "ask_customer": (*_CHANGE, "SendTaskSuccess"),
        "await_payment": (*_CHANGE, "SendTaskSuccess"),
        "await_release": (*_CHANGE, "SendTaskSuccess"),
        "await_warehouse": (*_CHANGE, "SendTaskSuccess"),
        "ship_parcel": (*_CHANGE, "GetItem", "UpdateItem", "SendTaskSuccess", "capture", "void", "look_up", "book"),
        "deliver_order": (*_CHANGE, "GetItem", "UpdateItem", "capture", "void", "look_up", "book"),
        "begin_unwinding": (*_CHANGE, "UpdateItem"),
        "recall_shipment": (*_CHANGE, "UpdateItem", "recall"),
        "refund_payment": (*_CHANGE, "UpdateItem", "GetItem", "void", "refund"),
        "release_stock": _CHANGE,
        "close_order": _CHANGE,
        "place_order": ("BatchGetItem", "TransactWriteItems", "GetItem", "Query", "GetSecretValue"),
        "read_orders": ("Query", "GetItem", "BatchGetItem", "GetSecretValue"),
        "change_order": (
            *_CHANGE, "GetItem", "UpdateItem", "GetSecretValue", "open", "authorize", "look_up", "capture", "void",
            "book", "refund",
        ),
        "repair_order": (
            *_CHANGE, "GetItem", "UpdateItem", "DescribeExecution", "GetSecretValue", "look_up", "capture", "void", "renew",
            "book", "recall", "refund",
        ),
        "drive_workflow": (
            *_CHANGE, "GetItem", "UpdateItem", "capture", "void", "look_up",
            "StartExecution", "StopExecution", "SendTaskSuccess", "SendTaskFailure",
        ),
        "publish_changes": ("PutEvents",),
        "notify_customers": ("Publish",),
        "keep_statistics": ("TransactWriteItems",),
        "fan_out_webhooks": ("Query", "BatchGetItem", "TransactWriteItems", "SendMessageBatch"),
        "deliver_webhook": ("GetItem", "UpdateItem", "SendMessage"),
        "on_fulfillment_event": (
            *_CHANGE, "GetItem", "UpdateItem", "ChangeMessageVisibility", "open", "authorize", "look_up", "capture",
            "void",
        ),
        "on_payment_event": (*_CHANGE, "GetItem", "UpdateItem", "ChangeMessageVisibility", "look_up", "refund"),
        "receive_carrier_event": ("Query", "GetItem", "PutItem", "PutEvents", "GetSecretValue"),
        "manage_products": ("GetItem", "BatchGetItem", "TransactWriteItems"),
        "sweep_orders": (
            *_CHANGE, "GetItem", "UpdateItem", "DescribeExecution", "look_up", "capture", "void", "renew", "book", "recall",
            "refund",
        ),
    }
)  # fmt: skip
"""What each function calls in a history: the operations of AWS, and of the payment provider and the carrier."""

SILENT = (
    *("show_docs", "show_pages", "watch_status", "read_analytics", "manage_webhooks"),
    "receive_payment_event",
)
"""Functions that no history calls once the storm has begun: they show, or keep what no order depends on. What payment providers
say comes by the bus there, where their webhooks put it."""

ANYWHERE = ("invocation refused", "invocation forgotten", "clock skew", "slow call", "outage")
IN_THE_CALL: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **dict.fromkeys(("PutEvents", "SendMessageBatch", "BatchGetItem"), ("partly taken",)),
        **dict.fromkeys(("SendTaskSuccess", "SendTaskFailure"), ("stale token",)),
    }
)
OF_SOME: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "stale index": ("fan_out_webhooks", "read_orders", "receive_carrier_event", "sweep_orders"),
        "client repeats": ("place_order", "change_order", "repair_order", "read_orders", "manage_products"),
        "endpoint fails": ("deliver_webhook",),
        "endpoint hangs": ("deliver_webhook",),
        "stranger": ("on_fulfillment_event", "receive_carrier_event"),
    }
)
"""Faults that lie around no call of their own: in each function, in some calls, in some functions."""

STEPS = (*(one.task.function for one in DEFINITIONS), "begin_unwinding", *(one.function for one in UNWINDING.values()))


class Universe:
    """All that may go wrong, of one wiring."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._ids = {one.module: name for name, one in wiring.functions.items()}
        self._modules = {name: module for module, name in self._ids.items()}
        self.cells: dict[Cell, str] = dict(self._all())
        """Each cell with the part of the table that it belongs to."""

    def _all(self) -> Iterator[tuple[Cell, str]]:
        for module, calls in CALLS.items():
            yield from (
                ((self._ids[module], call, fault.name, moment), module) for call in calls for fault, moment in around(call)
            )
            yield from self._of_function(module, calls)
        yield from self._of_feeds()
        yield from self._of_rules()
        yield from self._of_machines()

    def _of_function(self, module: str, calls: tuple[str, ...]) -> Iterator[tuple[Cell, str]]:
        name = self._ids[module]
        for fault in ANYWHERE:
            yield (name, "", fault, ""), module
        for call in calls:
            yield from (((name, call, fault, ""), module) for fault in IN_THE_CALL.get(call, ()))
        for fault, modules in OF_SOME.items():
            if module in modules:
                yield (module if fault == "client repeats" else name, "", fault, ""), module

    def _of_feeds(self) -> Iterator[tuple[Cell, str]]:
        for feed in self._wiring.feeds:
            is_stream = feed.source == "OrdersTable"
            faults = (
                ("record held up", "batch cut short", "batch doubled") if is_stream else ("message late", "message doubled")
            )
            yield from (((feed.function, "", fault, ""), self._modules[feed.function]) for fault in faults)

    def _of_rules(self) -> Iterator[tuple[Cell, str]]:
        targets = {target for rule in self._wiring.rules if rule.schedule is None for target, _ in rule.targets}
        for target in sorted(targets):
            yield from (((target, "", fault, ""), "bus") for fault in ("event late", "event doubled"))

    def _of_machines(self) -> Iterator[tuple[Cell, str]]:
        for name, definition in self._wiring.machines.items():
            yield from (((name, "", fault, ""), "workflow") for fault in ("execution redriven", "describe late", "event lost"))
            for state, made in definition["States"].items():
                if made["Type"] in ("Task", "Wait"):
                    yield from (((state, "", fault, ""), "workflow") for fault in ("execution failed", "execution aborted"))
        yield ("", "", "release", ""), "workflow"
        yield from (((party, "", "provider outage", ""), "providers") for party in PARTIES)

    # --- what was met ---

    def unknown(self, calls: Iterable[tuple[str, str]]) -> list[str]:
        """Calls that the list does not have."""
        found = {(self._modules.get(function, function), call) for function, call in calls}
        return sorted(f"{module} calls {call}" for module, call in found if call not in CALLS.get(module, ()))

    def left(self, covered: Counter[Cell]) -> list[Cell]:
        """What was never met."""
        return [cell for cell in self.cells if not covered[cell]]
