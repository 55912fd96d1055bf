"""One order, whatever is done to its parts in whatever order: no piece and no cent is lost, or counted twice."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.goods.in_process import InProcess
from tests.goods.model import PartsOfAnOrder


@pytest.mark.parametrize("capture_mode", ["immediate", "on_shipment"])
def test_goods_and_money_of_an_order_add_up_after_each_step(capture_mode: str) -> None:
    class InThisProcess(PartsOfAnOrder):
        captures_at_once = capture_mode == "immediate"

        def opened(self) -> InProcess:
            return InProcess(capture_mode)

    run_state_machine_as_test(InThisProcess, settings=settings(max_examples=15, stateful_step_count=20, deadline=None))
