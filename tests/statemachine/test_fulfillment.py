"""Every way through the fulfillment, on both engines: which states an order enters, and what each function is told."""

import json
from itertools import chain
from typing import Any

import pytest

from orders.domain.steps import DEFINITIONS, StepName
from tests.statemachine.both import on_both, some_of
from tests.statemachine.engines import Engine, Fails, Reply, Script, Walk, reported
from tests.statemachine.machines import FULFIL, definition, substitutions
from tests.statemachine.raises import raised_by

WAITS = {"payment": 5, "preparation": 6, "delivery": 10, "approval": 300, "transit": 10, "confirmation": 3600}
FACTS = {"order_id": "order-1", "run": 1, "waits": WAITS}

STEPS = [one.task.function for one in DEFINITIONS]


def path_to(last: StepName) -> list[str]:
    """The states up to a step: each waits before it works, and a review is there only for who comes to it."""
    ahead = DEFINITIONS[: list(StepName).index(last) + 1]
    passed = [one for one in ahead if one.name is last or one.name is not StepName.REVIEW]
    states = [[one.wait and one.wait.state, one.task.state, one.name is not last and one.choice] for one in passed]
    return list(dict.fromkeys(state for state in chain(*states) if state))


RESERVE, REVIEW, CHARGE, DELIVER = (
    path_to(name) for name in (StepName.INVENTORY, StepName.REVIEW, StepName.PAYMENT, StepName.DELIVERY)
)
UP_TO = {one.task.function: path_to(one.name) for one in DEFINITIONS}
UNWOUND = ["Unwind order", "Not fulfilled"]


def fulfill(engine: Engine, script: Script | None = None, jitter: float = 1, **waits: int) -> Walk:
    facts = {**FACTS, "waits": WAITS | waits}
    return engine.run(FULFIL, facts, script or Script(), jitter)


def script_for(function: str, *outcomes: Any) -> Script:
    """What the function meets; the review is asked for where the step is the review's, and then answered."""
    reviewed = function == "request_approval"
    return Script({function: outcomes}, {"request_approval": Reply(after=1)}, needs_review=reviewed)


def retrier(function: str) -> dict[str, Any]:
    """The Retry of the step that calls the function."""
    states = definition(FULFIL)["States"].values()
    names = {module: f"${{{name}}}" for name, module in substitutions(FULFIL).items()}
    found: dict[str, Any] = next(
        state["Retry"][0] for state in states if state.get("Parameters", {}).get("FunctionName") == names[function]
    )
    return found


# --- forward ---


def test_an_order_nothing_happens_to(engine: Engine) -> None:
    walk = fulfill(engine)
    assert walk.path == DELIVER
    assert (walk.status, walk.transitions) == ("SUCCEEDED", 9)
    token = walk.of("ship_parcel")[0].payload["task_token"]
    assert [(call.function, call.payload) for call in walk.calls] == [
        ("reserve_stock", {"order_id": "order-1", "outcomes": True}),
        ("charge_payment", {"order_id": "order-1", "outcomes": True}),
        ("ship_parcel", {"order_id": "order-1", "run": 1, "task_token": token, "transit": 10}),
        ("deliver_order", {"order_id": "order-1"}),
    ]
    assert token


def test_each_wait_takes_what_the_execution_was_started_with(engine: Engine) -> None:
    walk = fulfill(engine, payment=7, preparation=60, delivery=1000)
    assert [call.at for call in walk.calls] == [0, 7, 67, 1067]
    assert walk.limits == [1000]


@pytest.mark.parametrize(("payment", "preparation", "billed"), [(0, 0, 7), (5, 0, 8), (0, 6, 8), (5, 6, 9)])
def test_a_wait_of_nothing_is_not_entered(engine: Engine, payment: int, preparation: int, billed: int) -> None:
    walk = fulfill(engine, payment=payment, preparation=preparation)
    skipped = {"Wait for payment": payment, "Wait for preparation": preparation}
    assert walk.path == [state for state in DELIVER if skipped.get(state, 1)]
    assert (walk.status, walk.transitions, walk.ended) == ("SUCCEEDED", billed, payment + preparation + 10)


def test_waits_of_nothing_cost_no_time(engine: Engine) -> None:
    walk = fulfill(engine, Script(replies={"ship_parcel": Reply(during=True)}), payment=0, preparation=0, delivery=1, transit=0)
    assert (walk.ended, walk.of("ship_parcel")[0].payload["transit"]) == (0, 0)


def test_the_end_of_the_transit_is_no_failure(engine: Engine) -> None:
    walk = fulfill(engine)
    assert walk.path[-2:] == ["Ship parcel and await delivery", "Deliver order"]
    assert walk.of("deliver_order")[0].at == 5 + 6 + 10
    assert len(walk.of("ship_parcel")) == 1, "a time-out is not a reason to ship again"


def test_a_delivery_reported_before_the_time_is_over_ends_the_wait(engine: Engine) -> None:
    walk = fulfill(engine, Script(replies={"ship_parcel": Reply(after=4)}))
    assert walk.path == DELIVER
    assert walk.of("deliver_order")[0].at == 5 + 6 + 4


def test_a_delivery_reported_after_the_time_is_over_changes_nothing(engine: Engine) -> None:
    walk = fulfill(engine, Script(replies={"ship_parcel": Reply(after=11)}))
    assert (walk.path, walk.ended, walk.status) == (DELIVER, 21, "SUCCEEDED")


# --- the review ---


def test_an_approved_order_goes_on(engine: Engine) -> None:
    walk = fulfill(engine, Script(replies={"request_approval": Reply(after=30)}, needs_review=True))
    assert walk.path == [*REVIEW, *DELIVER[2:]]
    assert (walk.status, walk.transitions) == ("SUCCEEDED", 10)
    asked = walk.of("request_approval")[0].payload
    assert asked == {"order_id": "order-1", "run": 1, "task_token": asked["task_token"], "seconds": 300}
    assert asked["task_token"]
    assert walk.limits == [300, 10]
    assert walk.of("charge_payment")[0].at == 30 + 5


def test_an_approved_order_that_waits_for_nothing_goes_on_at_once(engine: Engine) -> None:
    script = Script(replies={"request_approval": Reply(after=30), "ship_parcel": Reply()}, needs_review=True)
    walk = fulfill(engine, script, payment=0, preparation=0)
    assert walk.path == [*REVIEW, "Wait for payment", "Charge payment", "Paid yet?", *DELIVER[-2:]]
    assert (walk.ended, walk.transitions) == (30, 9)


def test_a_rejected_order_is_unwound(engine: Engine) -> None:
    rejected = Reply(after=30, error="ApprovalRejected", words="Looks like fraud.")
    walk = fulfill(engine, Script(replies={"request_approval": rejected}, needs_review=True))
    assert walk.path == [*REVIEW, *UNWOUND]
    unwound = walk.of("begin_unwinding")[0]
    assert (unwound.at, unwound.payload["order_id"], unwound.payload["run"]) == (30, "order-1", 1)
    assert unwound.payload["so_far"]["failure"]["Error"] == "ApprovalRejected"
    assert not walk.backoffs


def test_the_reviewer_s_words_reach_the_unwinding(engine: Engine) -> None:
    if engine.name == "moto":
        pytest.skip("moto drops the cause of SendTaskFailure")
    rejected = Reply(after=30, error="ApprovalRejected", words="Looks like fraud.")
    walk = fulfill(engine, Script(replies={"request_approval": rejected}, needs_review=True))
    failure = {"Error": "ApprovalRejected", "Cause": "Looks like fraud."}
    assert walk.of("begin_unwinding")[0].payload["so_far"]["failure"] == failure


def test_silence_in_the_review_is_a_no(engine: Engine) -> None:
    walk = fulfill(engine, Script(needs_review=True))
    assert walk.path == [*REVIEW, *UNWOUND]
    unwound = walk.of("begin_unwinding")[0]
    assert (unwound.at, unwound.payload["so_far"]["failure"]["Error"]) == (300, "States.Timeout")
    assert len(walk.of("request_approval")) == 1, "nobody is asked twice"


# --- a payment that is decided later, and an order on hold ---


CONFIRMING = [*CHARGE, "Paid yet?", "Wait for payment confirmation"]
PENDING = reported(payment={"payment_id": "pay-1", "status": "REQUIRES_ACTION", "outcome": "pending"})


def decided(outcome: str, **when: Any) -> Script:
    """A payment that is awaited, and what is said of it then."""
    reply = Reply(output=reported(payment={"payment_id": "pay-1", "outcome": outcome}), **when)
    return Script({"charge_payment": [PENDING]}, {"await_payment": reply})


@pytest.mark.parametrize("when", [{"after": 100}, {"during": True}], ids=["while it is awaited", "before the wait began"])
def test_a_payment_that_is_confirmed_goes_on(engine: Engine, when: dict[str, Any]) -> None:
    walk = fulfill(engine, decided("paid", **when))
    assert walk.path == [*CONFIRMING, "Paid yet?", *DELIVER[-3:]]
    assert (walk.status, walk.transitions, walk.ended) == ("SUCCEEDED", 11, 5 + when.get("after", 0) + 6 + 10)
    (asked,) = walk.of("await_payment")
    assert asked.payload == {"order_id": "order-1", "run": 1, "task_token": asked.payload["task_token"], "seconds": 3600}
    assert walk.limits == [3600, 10]
    assert walk.output["charged"]["payment"] == {"payment_id": "pay-1", "outcome": "paid"}


def test_a_payment_that_is_confirmed_costs_nine_transitions_without_waits(engine: Engine) -> None:
    assert fulfill(engine, decided("paid", after=1), payment=0, preparation=0).transitions == 9


def test_a_payment_that_fails_while_it_is_awaited_is_unwound(engine: Engine) -> None:
    walk = fulfill(engine, decided("declined", after=100))
    assert walk.path == [*CONFIRMING, "Paid yet?", *UNWOUND]
    assert (walk.status, walk.transitions, walk.ended) == ("FAILED", 10, 105)


def test_a_payment_that_nobody_confirms_is_unwound_at_the_end_of_its_time(engine: Engine) -> None:
    walk = fulfill(engine, Script({"charge_payment": [PENDING]}), confirmation=600)
    assert walk.path == [*CONFIRMING, *UNWOUND]
    (unwound,) = walk.of("begin_unwinding")
    assert (unwound.at, unwound.payload["so_far"]["failure"]["Error"]) == (605, "States.Timeout")
    assert (walk.transitions, len(walk.of("await_payment"))) == (9, 1), "nobody is asked twice"


@pytest.mark.parametrize(
    ("script", "path", "billed"),
    [
        (
            {"charge_payment": [reported(payment={"outcome": "on_hold"})]},
            [*CHARGE, "Paid yet?", "Wait for release", "Charge payment", "Paid yet?", "Ship parcel and await delivery"],
            11,
        ),
        (
            {"ship_parcel": [Fails("OrderOnHold")]},
            [*DELIVER[:-1], "Wait for release", "Charge payment", "Paid yet?", "Ship parcel and await delivery"],
            13,
        ),
    ],
    ids=["before the charge", "before the hand-over"],
)
def test_an_order_on_hold_waits_for_its_release_and_for_what_is_left_of_its_waits(
    engine: Engine, script: dict[str, Any], path: list[str], billed: int
) -> None:
    released = Reply(after=50, output=WAITS | {"preparation": 0, "delivery": 7, "transit": 7})
    walk = fulfill(engine, Script(script, {"await_release": released}))
    assert walk.path == [*path, "Deliver order"]
    assert (walk.status, walk.transitions, walk.limits[-1]) == ("SUCCEEDED", billed, 7)


# --- faults that pass ---


@pytest.mark.parametrize("function", STEPS)
def test_a_fault_that_passes_costs_a_delay_and_nothing_else(engine: Engine, function: str) -> None:
    usual = fulfill(engine, script_for(function))
    for error in some_of(engine, retrier(function)["ErrorEquals"]):
        walk = fulfill(engine, script_for(function, Fails(error)))
        assert walk.path == usual.path, error
        assert len(walk.of(function)) == 2, error
        assert walk.ended == usual.ended + 1, error
        assert walk.transitions == usual.transitions + 1, f"{error}: a retry is billed"
        assert "begin_unwinding" not in {call.function for call in walk.calls}, error


@pytest.mark.parametrize(
    ("engine", "function", "jitter"), on_both([(one, jitter) for one in STEPS for jitter in (0.5, 0, 1)]), indirect=["engine"]
)
def test_delays_grow_up_to_a_cap_and_jitter_falls_below_them(engine: Engine, function: str, jitter: float) -> None:
    faults = [Fails("StoreBusy")] * 6
    walk = fulfill(engine, script_for(function, *faults), jitter)
    assert walk.backoffs == [1, 2, 4, 8, 16, 20]
    assert walk.delays(function) == [bound * jitter for bound in walk.backoffs]
    assert walk.path[-1] == "Deliver order"
    assert walk.status == "SUCCEEDED"


@pytest.mark.parametrize("function", STEPS)
def test_a_fault_that_does_not_pass_is_unwound(engine: Engine, function: str) -> None:
    walk = fulfill(engine, script_for(function, *[Fails("StoreBusy", "The table is busy.")] * 7))
    assert walk.path == [*UP_TO[function], *UNWOUND]
    assert len(walk.of(function)) == 1 + 6
    payload = walk.of("begin_unwinding")[0].payload
    assert (payload["order_id"], payload["so_far"]["failure"]["Error"]) == ("order-1", "StoreBusy")
    assert json.loads(payload["so_far"]["failure"]["Cause"])["errorMessage"] == "The table is busy."


@pytest.mark.parametrize("function", STEPS)
def test_different_faults_of_one_step_share_its_tries(engine: Engine, function: str) -> None:
    names = retrier(function)["ErrorEquals"][:7]
    assert len(names) == 7
    walk = fulfill(engine, script_for(function, *map(Fails, names)))
    assert walk.path == [*UP_TO[function], *UNWOUND]
    assert walk.backoffs == [1, 2, 4, 8, 16, 20]


def test_a_retried_hand_over_waits_its_whole_transit(engine: Engine) -> None:
    walk = fulfill(engine, script_for("ship_parcel", *[Fails("CarrierUnavailable")] * 5))
    assert walk.ended == walk.of("ship_parcel")[-1].at + 10
    assert walk.limits[-1] == 10


def test_a_retried_hand_over_gets_a_token_of_its_own(engine: Engine) -> None:
    if engine.name == "moto":
        pytest.skip("moto keeps a state's token over its retries; AWS makes one for each attempt")
    walk = fulfill(engine, script_for("ship_parcel", Fails("OutcomeUnknown")))
    first, second = walk.of("ship_parcel")
    assert first.payload["task_token"] != second.payload["task_token"]


# --- refusals ---


WAITED_FOR = {"OrderOnHold"}
"""What a step refuses only until somebody has done something: the machine waits for them."""
REFUSALS = [(function, error) for function in STEPS for error in sorted(raised_by(function).refusals - WAITED_FOR)]


@pytest.mark.parametrize(("engine", "function", "error"), on_both(REFUSALS), indirect=["engine"])
def test_a_refusal_is_unwound_at_once(engine: Engine, function: str, error: str) -> None:
    walk = fulfill(engine, script_for(function, Fails(error, "No.")))
    assert walk.path == [*UP_TO[function], *UNWOUND]
    assert len(walk.of(function)) == 1, "asking again does not help"
    assert not walk.backoffs
    payload = walk.of("begin_unwinding")[0].payload
    assert payload["so_far"]["failure"]["Error"] == error
    assert json.loads(payload["so_far"]["failure"]["Cause"])["errorMessage"] == "No."
    assert (walk.status, walk.error) == ("FAILED", "customer"), "it ends with the reason that the order's row has"


OUTCOMES: dict[str, tuple[list[str], str, Any]] = {
    "out of stock": (
        [*RESERVE, "What next?"],
        "reserve_stock",
        reported(stock={"outcome": "out_of_stock", "reason": "Not enough."}),
    ),
    "declined": (
        [*CHARGE, "Paid yet?"],
        "charge_payment",
        reported(payment={"outcome": "declined", "reason": "The card was declined."}),
    ),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_an_outcome_that_is_a_no_is_routed_by_a_choice_and_ends_as_failed_with_the_reason(engine: Engine, name: str) -> None:
    path, function, outcome = OUTCOMES[name]
    reason: Any = {"error": "payment_failed", "cause": "The payment did not go through."}
    walk = fulfill(engine, Script({function: [outcome], "begin_unwinding": [reported(**reason)]}))
    assert walk.path == [*path, *UNWOUND]
    assert (walk.status, walk.error, walk.cause) == ("FAILED", reason["error"], reason["cause"])
    assert not walk.backoffs
    (unwound,) = walk.of("begin_unwinding")
    assert "failure" not in unwound.payload["so_far"]


@pytest.mark.parametrize("outcome", ["paid", "cash", "none"])
def test_whatever_needs_no_payment_now_is_shipped(engine: Engine, outcome: str) -> None:
    walk = fulfill(engine, Script({"charge_payment": [reported(payment={"outcome": outcome})]}))
    assert (walk.path, walk.status) == (DELIVER, "SUCCEEDED")


def test_what_each_step_did_is_its_output(engine: Engine) -> None:
    parcel = {"shipment_id": "ship-1", "status": "IN_TRANSIT", "tracking_number": "SIM1"}
    delivered = reported(status="DELIVERED", shipment=parcel)
    walk = fulfill(engine, Script({"deliver_order": [delivered]}, {"ship_parcel": Reply(after=4)}))
    assert walk.output == {
        **FACTS,
        "reserved": {"status": "PENDING", "stock": {"outcome": "reserved"}},
        "charged": {"status": "PENDING", "payment": delivered["payment"]},
        "shipped": {},
        "delivered": {"status": "DELIVERED", "payment": delivered["payment"], "shipment": parcel},
    }


@pytest.mark.parametrize("function", STEPS)
def test_a_fault_of_our_own_is_unwound_at_once(engine: Engine, function: str) -> None:
    walk = fulfill(engine, script_for(function, Fails("KeyError", "'order_id'")))
    assert walk.path == [*UP_TO[function], *UNWOUND]
    assert len(walk.of(function)) == 1


@pytest.mark.parametrize("function", STEPS)
def test_an_order_that_was_closed_meanwhile_ends_with_why(engine: Engine, function: str) -> None:
    walk = fulfill(engine, script_for(function, Fails("OrderOver")))
    assert walk.path == [*UP_TO[function], *UNWOUND]
    assert (walk.status, walk.error, len(walk.of(function))) == ("FAILED", "customer", 1)


# --- when even the failure cannot be noted ---


def declined(*outcomes: Any) -> Script:
    return Script({"charge_payment": [reported(payment={"outcome": "declined"})], "begin_unwinding": outcomes})


def test_noting_the_failure_is_tried_longer_than_anything_else(engine: Engine) -> None:
    walk = fulfill(engine, declined(*[Fails("StoreBusy")] * 10))
    assert walk.path == [*CHARGE, "Paid yet?", *UNWOUND]
    assert walk.backoffs == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert (walk.status, walk.error) == ("FAILED", "customer")


@pytest.mark.parametrize("outcomes", [[Fails("StoreBusy")] * 11, [Fails("NotFound")], [Fails("KeyError")]])
def test_what_cannot_be_noted_is_left_to_the_sweep(engine: Engine, outcomes: list[Fails]) -> None:
    walk = fulfill(engine, declined(*outcomes))
    assert walk.path == [*CHARGE, "Paid yet?", "Unwind order", "Left to the sweep"]
    assert (walk.status, walk.error) == ("FAILED", "UnwindingNotBegun")
    assert len(walk.of("begin_unwinding")) == len(outcomes)
