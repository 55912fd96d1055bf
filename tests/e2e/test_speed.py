"""What it costs to wait for it: ready, answering, idle, gone. The figures are shown at the end of the run."""

import signal
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.e2e.stacks import Api, Served, an_order, deployed, serving

pytestmark = pytest.mark.skipif(deployed() is not None, reason="figures are promised for this machine")

REQUESTS = 100
ROUNDS = 3


def best_median(act: Callable[[int], httpx.Response]) -> float:
    """The median of the best of three rounds, in ms: others use this machine too."""

    def one(number: int) -> float:
        began = time.perf_counter()
        assert act(number).is_success
        return (time.perf_counter() - began) * 1000

    return min(statistics.median(one(number) for number in range(REQUESTS)) for _ in range(ROUNDS))


def placing(api: Api) -> Callable[[int], httpx.Response]:
    return lambda _: api.post("/orders", an_order())


def test_it_idles_small_answers_soon_and_stops_at_once(figure: Callable[[str], None]) -> None:
    with serving() as stack:
        stack.anybody.get("/health")
        idle = stack.memory()
        placed = best_median(placing(stack.ada))
        order_id = stack.ada.place()["order"]["order_id"]
        read = best_median(lambda _: stack.ada.get(f"/orders/{order_id}"))
        progress = best_median(lambda _: stack.ada.get(f"/orders/{order_id}/status"))
        listed = best_median(lambda _: stack.ada.get("/orders?limit=20"))
        gone = stack.end(signal.SIGINT)
        figure(f"ready in {stack.seconds_to_ready:.1f} s, {idle:.0f} MB when idle, gone {gone:.2f} s after Ctrl-C")
        figure(f"medians: POST order {placed:.1f} ms, GET order {read:.1f} ms, status {progress:.1f} ms, list {listed:.1f} ms")
        assert stack.is_gone()
        assert gone < 2
        assert idle < 200
        assert placed < 100
        assert read < 25
        assert stack.seconds_to_ready < 8


def test_reads_stay_quick_while_orders_rush_in(local_swift: Served, figure: Callable[[str], None]) -> None:
    order_id = local_swift.ada.place()["order"]["order_id"]
    with ThreadPoolExecutor(4) as pool:
        rush = [pool.submit(local_swift.ada.place) for _ in range(150)]
        read = best_median(lambda _: local_swift.ada.get(f"/orders/{order_id}"))
        for placing_one in rush:
            placing_one.result()
    figure(f"GET order while 150 others are placed: {read:.1f} ms")
