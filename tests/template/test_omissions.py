"""What docs/changing.md says of statuses, steps, routes and functions is so: whatever is left out, `make check` tells.

Each omission is planted where its check looks, and that check has to fail. Those of fields and of providers stand beside their
own checks; those of single grants, variables and alarms in mutations.py.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from orders.domain import sentences
from orders.domain.statuses import OrderStatus, ShipmentStatus, StepStatus
from orders.domain.steps import DEFINITIONS, STEPS, WAITS, StepDefinition, StepName, Task, Wait
from orders.web import openapi
from orders.web.routes import ROUTES, Route, Who
from tests.harness import behavior
from tests.statemachine import machines as asl
from tests.statemachine import test_graph
from tests.statemachine.machines import FULFIL, UNWIND
from tests.template import test_openapi_file, test_operations, test_pages, test_wiring
from tests.unit import test_openapi, test_sentences, test_statuses, test_steps
from tools.operations import file

ROOT = Path(__file__).parents[2]
Plant = Callable[[pytest.MonkeyPatch], object]
Check = Callable[[], object]


@dataclass(frozen=True)
class Omission:
    """Something that a change left out, how it comes to be missing, and the check that tells."""

    of: str
    left_out: str
    plant: Plant
    check: Callable[..., object]
    arguments: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.of}: {self.left_out}"


# --- planting ---------------------------------------------------------------------------------------------------------


def in_template(change: Callable[[dict[str, Any]], object]) -> Plant:
    """Changes the expanded template's resources, for every check that reads them."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        planted = deepcopy(test_wiring.template())
        change(planted["Resources"])
        patch.setattr(test_wiring, "template", lambda: planted)
        patch.setattr(asl, "template", lambda: planted)

    return plant


def in_machine(machine: str, change: Callable[[dict[str, Any]], object]) -> Plant:
    """Changes a machine's definition."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        planted = {name: asl.definition(name) for name in (FULFIL, UNWIND)}
        change(planted[machine])
        patch.setattr(test_graph, "definition", planted.__getitem__)

    return plant


def in_page(text: str, replacement: str = "") -> Plant:
    """Changes docs/behavior.md."""
    assert text in behavior.PAGE
    return lambda patch: patch.setattr(behavior, "PAGE", behavior.PAGE.replace(text, replacement))


def routes(change: Callable[[dict[str, Route]], object]) -> Plant:
    """Changes the table of routes, in place: several modules hold it."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        planted = dict(ROUTES)
        change(planted)
        for key in {*ROUTES, *planted}:
            if key in planted:
                patch.setitem(ROUTES, key, planted[key])
            else:
                patch.delitem(ROUTES, key)

    return plant


def without_module(name: str) -> Plant:
    """Takes a handler's module away."""
    left = test_wiring.modules() - {name}
    return lambda patch: patch.setattr(test_wiring, "modules", lambda: left)


# --- what is planted --------------------------------------------------------------------------------------------------

WRAPPING = Task("Wrap parcel", "wrap_parcel")
ITS_WAIT = Wait("wrapping", "Wait for wrapping", "WRAPPING_WAIT_SECONDS")
NEW_STEP = StepDefinition(DEFINITIONS[-1].name, WRAPPING, {}, wait=ITS_WAIT)
"""A step of which there is nothing but its definition."""

UNPAID = {"step": (StepName.PAYMENT,), "state": (StepStatus.PENDING,)}
NEW_ROUTE = Route("GET /orders/{id}/parcels", frozenset({Who.OWNER}), "getParcels", "Read its parcels", "read_orders")
"""A route of which there is nothing but its row in the table."""

PAY, RECALL = "ChargePaymentFunction", "RecallShipmentFunction"


def _without_invoking(resources: dict[str, Any]) -> None:
    (policy,) = resources["FulfilOrderRole"]["Properties"]["Policies"]
    statement = policy["PolicyDocument"]["Statement"][0]
    statement["Resource"] = [one for one in statement["Resource"] if PAY not in json.dumps(one)]


def _without_substitution(resources: dict[str, Any]) -> None:
    del resources["UnwindOrder"]["Properties"]["DefinitionSubstitutions"][f"{RECALL}Arn"]


def _operations_not_written(patch: pytest.MonkeyPatch, folder: Path) -> None:
    template = file.TEMPLATE.read_text(encoding="utf-8")
    start = template.index("  CloseOrderFunction:")
    function = template[start : template.index("  # ---", start)]
    new = function.replace("CloseOrder", "ArchiveOrder").replace("close-order", "archive-order")
    (folder / "template.yaml").write_text(template.replace(function, function + new), encoding="utf-8")
    patch.setattr(test_operations, "written", lambda: file.written(folder / "template.yaml"))


STEP = (
    Omission(
        "step",
        "its definition in the table",
        lambda patch: patch.setattr(test_steps, "DEFINITIONS", DEFINITIONS[:-1]),
        test_steps.test_every_step_has_its_definition_in_the_order_in_which_they_happen,
    ),
    Omission(
        "step",
        "its label in a status",
        lambda patch: patch.setattr(sentences, "STEPS", tuple(row for row in sentences.STEPS if row.when != UNPAID)),
        test_sentences.test_every_step_has_its_word_in_every_status,
        (StepName.PAYMENT, StepStatus.PENDING),
    ),
    Omission(
        "step",
        "its wait among the waits",
        lambda patch: patch.setattr(test_steps, "WAITS", (*WAITS, ITS_WAIT)),
        test_steps.test_every_wait_of_the_workflow_is_a_step_s,
    ),
    Omission(
        "step",
        "the setting of its wait",
        lambda patch: patch.setattr(test_wiring, "WAITS", (*WAITS, ITS_WAIT)),
        test_wiring.test_the_template_sets_how_long_each_wait_is,
    ),
    Omission(
        "step",
        "its state in the fulfillment machine",
        lambda patch: patch.setattr(test_graph, "DEFINITIONS", (*DEFINITIONS, NEW_STEP)),
        test_graph.test_the_machine_has_no_step_that_the_table_does_not_know,
    ),
    Omission(
        "step",
        "the wait of its state",
        in_machine(FULFIL, lambda machine: machine["States"]["Wait for preparation"].update(SecondsPath="$.waits.payment")),
        test_graph.test_each_step_is_done_and_waited_for_where_the_table_says,
        (next(one for one in DEFINITIONS if one.wait and one.wait.name == "preparation"),),
    ),
    Omission(
        "step",
        "its undoing in the unwinding machine",
        in_machine(UNWIND, lambda machine: machine["States"]["What is to be undone?"]["Choices"].pop(0)),
        test_graph.test_the_unwinding_is_entered_and_goes_on_as_the_table_says,
    ),
    Omission(
        "step",
        "its handler",
        without_module("charge_payment"),
        test_wiring.test_a_function_s_handler_is_there,
        (PAY,),
    ),
    Omission(
        "step",
        "its function's place in the machine's substitutions",
        in_template(_without_substitution),
        test_wiring.test_a_machine_s_substitutions_are_those_that_its_states_use,
        ("UnwindOrder",),
    ),
    Omission(
        "step",
        "the machine's permission to invoke its function",
        in_template(_without_invoking),
        test_wiring.test_a_machine_may_invoke_its_steps_and_nothing_else,
        ("FulfilOrder",),
    ),
    Omission(
        "step",
        "its name in docs/behavior.md",
        in_page("`Manual Review`, "),
        test_statuses.test_every_name_that_is_promised_is_here_and_no_other,
        ("Steps, in this order:", STEPS),
    ),
)

ROUTE = (
    Omission(
        "route",
        "its row in the table",
        routes(lambda table: table.pop("POST /orders/{id}/cancel")),
        test_wiring.test_the_api_has_the_routes_of_the_table_and_a_way_out,
    ),
    Omission(
        "route",
        "its operation in the handler",
        routes(lambda table: table.update({NEW_ROUTE.key: NEW_ROUTE})),
        test_wiring.test_a_function_serves_the_routes_that_the_table_gives_it,
        ("read_orders",),
    ),
    Omission(
        "route",
        "its event in the template",
        routes(lambda table: table.update({NEW_ROUTE.key: NEW_ROUTE})),
        test_wiring.test_the_api_has_the_routes_of_the_table_and_a_way_out,
    ),
    Omission(
        "route",
        "that nobody else than the function verifies its caller",
        routes(lambda table: table.update({"GET /orders": replace(ROUTES["GET /orders"], who=frozenset({Who.ANYONE}))})),
        test_wiring.test_a_route_is_open_only_to_what_the_authorizer_cannot_verify,
        ("GET /orders",),
    ),
    Omission(
        "route",
        "the schema of its response",
        lambda patch: patch.setattr(
            test_openapi, "DOCUMENT", _described(replace(ROUTES["GET /webhooks"], answer="ParcelList"), patch)
        ),
        test_openapi.test_every_reference_leads_somewhere_and_every_schema_is_used,
    ),
    Omission(
        "route",
        "its row in docs/behavior.md",
        routes(lambda table: table.update({NEW_ROUTE.key: NEW_ROUTE})),
        test_wiring.test_every_route_but_the_pages_is_promised_to_those_whom_the_table_names,
    ),
    Omission(
        "route",
        "`make openapi`",
        routes(lambda table: table.update({NEW_ROUTE.key: NEW_ROUTE})),
        test_openapi_file.test_the_committed_description_is_the_code_s,
    ),
)


def _described(route: Route, patch: pytest.MonkeyPatch) -> Any:
    patch.setitem(ROUTES, route.key, route)
    return openapi.document()


FUNCTION = (
    Omission(
        "function",
        "its module",
        without_module("close_order"),
        test_wiring.test_a_function_s_handler_is_there,
        ("CloseOrderFunction",),
    ),
    Omission(
        "function",
        "its declaration in the template",
        in_template(lambda resources: resources.pop("CloseOrderFunction")),
        test_wiring.test_every_module_in_functions_is_deployed,
    ),
    Omission(
        "function",
        "its recorded event",
        lambda patch: None,
        test_wiring.test_a_function_has_a_recorded_event,
        ("archive_order",),
    ),
)


CONFIRMED, SHIPPED, OUT = OrderStatus.CONFIRMED, OrderStatus.SHIPPED, ShipmentStatus.OUT_FOR_DELIVERY


def without_sentences(table: str, **facts: str) -> Plant:
    """Takes every sentence out of a table that is true of these facts."""
    values = dict.fromkeys(test_sentences.VALUES, "x")

    def plant(patch: pytest.MonkeyPatch) -> None:
        left = tuple(row for row in getattr(sentences, table) if not row.fits(facts, values))
        patch.setattr(sentences, table, left)

    return plant


def in_module(name: str, text: str) -> Plant:
    """Takes a text out of a page's module."""
    assert text in test_pages.MODULES[name]
    return lambda patch: patch.setitem(test_pages.MODULES, name, test_pages.MODULES[name].replace(text, ""))


def without_status(table: str, status: OrderStatus) -> Plant:
    """Takes a status out of a table that ``test_statuses`` compares."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        held = getattr(test_statuses, table)
        left = {name: held[name] for name in held if name != status} if isinstance(held, Mapping) else set(held) - {status}
        patch.setattr(test_statuses, table, left)

    return plant


STATUS = (
    Omission(
        "status",
        "its row in TRANSITIONS",
        without_status("TRANSITIONS", SHIPPED),
        test_statuses.test_the_table_knows_every_status,
    ),
    Omission(
        "status",
        "its row in docs/behavior.md",
        without_status("PROMISED", SHIPPED),
        test_statuses.test_the_table_knows_every_status,
    ),
    Omission(
        "status",
        "whether an order can get stuck in it",
        without_status("STUCK_STATUSES", CONFIRMED),
        test_statuses.test_an_order_is_watched_for_being_stuck_in_each_status_or_there_is_a_reason_not_to,
    ),
    Omission(
        "status",
        "its headline",
        without_sentences("HEADLINES", order=CONFIRMED, parcel=sentences.NONE),
        test_sentences.test_every_status_of_an_order_has_its_headline_and_its_notice,
        (CONFIRMED,),
    ),
    Omission(
        "status",
        "its notice",
        without_sentences("NOTICES", order=SHIPPED),
        test_sentences.test_every_status_of_an_order_has_its_headline_and_its_notice,
        (SHIPPED,),
    ),
    Omission(
        "status",
        "its color",
        in_module("desk-words.js", '  CONFIRMED: "",\n'),
        test_pages.test_the_desk_has_a_color_for_every_status_and_a_button_for_every_change,
        ("desk-words.js", "MOOD", set(OrderStatus)),
    ),
    Omission(
        "status",
        "the words for it where it is a parcel's",
        without_sentences("HEADLINES", parcel=OUT, order=SHIPPED),
        test_sentences.test_every_status_of_a_parcel_has_its_words,
        (OUT,),
    ),
)


@pytest.mark.parametrize("omission", [*STATUS, *STEP, *ROUTE, *FUNCTION], ids=str)
def test_what_is_left_out_is_told(omission: Omission, monkeypatch: pytest.MonkeyPatch) -> None:
    omission.plant(monkeypatch)
    with pytest.raises((AssertionError, KeyError)):
        omission.check(*omission.arguments)
    monkeypatch.undo()


def test_a_function_without_alarms_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _operations_not_written(monkeypatch, tmp_path)
    with pytest.raises(AssertionError):
        test_operations.test_the_file_is_what_is_derived()


def test_each_of_these_checks_is_a_part_of_make_check() -> None:
    make = shutil.which("make")
    assert make
    printed = subprocess.run([make, "-n", "check"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    (command,) = [line for line in printed.splitlines() if "pytest" in line]
    parts = {ROOT / part for part in command.split() if part.startswith("tests/")}
    checks = {Path(one.check.__code__.co_filename) for one in (*STATUS, *STEP, *ROUTE, *FUNCTION)}
    assert [path for path in checks if not parts & {path, *path.parents}] == []
