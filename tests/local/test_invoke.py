"""``make invoke``: the recorded order is where the event expects it, before Lambda's emulator is asked."""

import pytest

from local.cli.invoke import BEFORE, EVENTS, SLOW, NotInvoked, _config, _event, _version, prepare
from local.stack.running import running
from local.stack.settings import Settings

RECORDED = {path.stem for path in EVENTS.glob("*.json")}


def test_what_comes_before_an_event_is_recorded_too() -> None:
    assert {name for names in (tuple(BEFORE), *BEFORE.values()) for name in names} <= RECORDED


def test_an_event_that_is_not_recorded_is_named_with_those_that_are() -> None:
    with pytest.raises(NotInvoked, match=r"recorded events are .*reserve_stock"):
        _event(EVENTS / "reserve_stok.json")


def test_the_order_is_brought_to_where_the_event_expects_it() -> None:
    with running(Settings(parameters=SLOW)) as stack:
        prepare(stack, "deliver_order")
        shipped = _version(stack)
        answer = stack.lambdas.invoke(_config(stack, "deliver_order").name, {"order_id": "order-1001"})
        assert (answer.payload["status"], answer.payload["version"]) == ("DELIVERED", shipped + 1)
        assert answer.payload["shipment"]["status"] == "DELIVERED"
        with pytest.raises(NotInvoked, match=r"no function whose handler is reserve_stok\.handler"):
            _config(stack, "reserve_stok")
