"""``python -m tests.goods --sequences 2000``: the model against a stack started for it, or the one that ORDERS_URL names.

A sequence is one order with so many steps. The first that breaks a law ends the run.
"""

import argparse
import sys
import time
from contextlib import ExitStack

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.goods.model import PartsOfAnOrder
from tests.goods.over_http import OverHttp, People
from tests.harness.stacks import Deployment, deployed, serving

WAREHOUSE = ("PreparationMode=warehouse", "ReviewThreshold=100000000", "ApprovalTimeoutSeconds=86400")


def live(stack: Deployment, given: argparse.Namespace) -> int:
    """Runs the sequences, and returns how many requests that took."""
    people = People(stack)

    class OnTheStack(PartsOfAnOrder):
        def opened(self) -> OverHttp:
            return OverHttp(people)

    OnTheStack.captures_at_once = given.capture_mode == "immediate"
    rules = settings(
        max_examples=given.sequences,
        stateful_step_count=given.steps,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink) if given.shrink else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(seed(given.seed)(OnTheStack), settings=rules)
    return next(people.requests)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.goods", description="The parts of an order against a running stack.")
    parser.add_argument("--sequences", type=int, default=100, help="how many orders (default %(default)s)")
    parser.add_argument("--steps", type=int, default=8, help="of each at most (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="what the sequences are chosen by (default %(default)s)")
    parser.add_argument(
        "--capture-mode", choices=["immediate", "on_shipment"], default="immediate", help="of the stack (default %(default)s)"
    )
    parser.add_argument("--shrink", action="store_true", help="look for the shortest sequence that breaks a law")
    return parser.parse_args()


def main() -> int:
    given, began = options(), time.monotonic()
    parameters = [word for one in (*WAREHOUSE, f"CaptureMode={given.capture_mode}") for word in ("--set", one)]
    with ExitStack() as opened:
        local = ("--payment-seconds", "0", "--delivery-mode", "carrier", *parameters)
        stack = deployed() or opened.enter_context(serving(*local))
        asked = live(stack, given)
    done = PartsOfAnOrder.steps
    steps = sum(count for name, count in done.items() if not name.endswith(" refused") and name != "place")
    refused = sum(count for name, count in done.items() if name.endswith(" refused"))
    seconds = time.monotonic() - began
    lines = [f"{done['place']} sequences, {steps} steps ({refused} refused), {asked} requests, {seconds:.0f} s"]
    lines += [f"  {count:6} {name}" for name, count in sorted(done.items())]
    sys.stdout.write("\n".join([*lines, ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
