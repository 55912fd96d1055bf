"""The command line for people: what is printed, what is found, and that no input ends in a traceback."""

from __future__ import annotations

import json
import os
import re
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local.cli import commands, demo, last_stack, lookup, refunds, serving
from local.cli.client import Api, Refused, url_of

ORDERS = ["2f3a9c10-aaaa", "2f3a9c10-bbbb", "7d5e0000-cccc"]


def a_document(order_id: str, status: str = "PENDING") -> dict[str, Any]:
    """An order's answer, as far as the commands read it."""
    usd = {"amount": 1000, "currency": "USD"}
    line = {"line_id": "1", "product_id": "prod-001", "name": "Enamel mug", "quantity": 2, "unit_price": usd}
    order = {"order_id": order_id, "status": status, "items": [line], "total": usd, "cancellation": None}
    order |= {
        "customer_id": "ada",
        "created_at": "2026-11-20T12:00:00.000Z",
        "shipping_address": {"city": "London", "name": "Ada"},
    }
    return {"order": order, "payment": None, "shipment": None, "tracking_url": f"/track/{order_id}?token=t"}


EVENT = {
    "version": 1,
    "timestamp": "2026-11-20T12:00:00.000Z",
    "status": "PENDING",
    "event_type": "ORDER_PLACED",
    "triggered_by": "ada",
}


RECORD = {"level": "INFO", "message": "Refused", "timestamp": "2026-11-20T12:00:00Z", "service": "orders", "code": "NOT_FOUND"}
CHARGE = "orders-charge-payment"
LOGGED = [
    [CHARGE, "INIT_START"],
    [CHARGE, json.dumps({**RECORD, "cold_start": True, "correlation_id": ORDERS[2]})],
    [CHARGE, json.dumps({**RECORD, "correlation_id": ORDERS[0]})],
]


class FakeStack:
    """Answers what the commands ask, and notes what that was."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []

    def call(self, method: str, path: str, body: Any = None) -> Any:
        if path == "/.local/token":
            return {"token": "t"}
        if path == "/.local/logs":
            return {"lines": LOGGED}
        self.asked.append((method, path, body))
        if path.startswith("/orders?"):
            return {"orders": [a_document(one)["order"] for one in ORDERS], "next_cursor": None}
        if path.endswith("/history"):
            return {"history": [EVENT]}
        if path.endswith("/status"):
            return {"steps": []}
        order_id = path.split("/")[2] if path.count("/") > 1 else ORDERS[0]
        if order_id not in ORDERS:
            raise Refused(404, {"code": "NOT_FOUND", "detail": f"There is no order {order_id}."})
        return a_document(order_id)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> FakeStack:
    fake = FakeStack()
    monkeypatch.setattr(Api, "call", lambda _, method, path, body=None: fake.call(method, path, body))
    monkeypatch.setenv("ORDERS_URL", "http://127.0.0.1:3000")
    monkeypatch.delenv("ORDERS_TOKEN", raising=False)
    return fake


def test_an_order_is_shown_with_its_trail_and_full_links(stack: FakeStack, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["show", "7d5e"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("7d5e0000-cccc  PENDING\n     1  2026-11-20T12:00:00.000Z  PENDING     Order placed          ada\n")
    assert "   Item      1  2 x Enamel mug  10.00 USD  prod-001\n" in shown
    assert "   Tracking  http://127.0.0.1:3000/track/7d5e0000-cccc?token=t\n" in shown
    assert "   Desk      http://127.0.0.1:3000/admin#/order/7d5e0000-cccc\n" in shown


@pytest.mark.parametrize("words", [["show", "7d5e"], ["place"], ["list"], ["cancel", "cccc"], ["sync", "cccc"]])
def test_scripts_get_json(stack: FakeStack, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert commands.main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_that_there_are_no_orders_is_said_to_people_only(
    stack: FakeStack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "call", lambda *_: {"token": "t", "orders": [], "next_cursor": None})
    assert commands.main(["list"]) == 0
    assert capsys.readouterr().out == "No orders.\n"
    assert commands.main(["list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["orders"] == []


def test_orders_are_listed_by_what_they_are(stack: FakeStack, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["list", "--status", "shipped", "--customer", "a&b", "--overdue"]) == 0
    assert stack.asked == [("GET", "/orders?limit=20&status=shipped&customer_id=a%26b&overdue=true", None)]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["Order", "Status", "Total", "Customer", "Placed"]
    assert [line.split()[0] for line in lines[1:]] == ORDERS


def test_only_the_named_fields_of_an_address_change(stack: FakeStack) -> None:
    assert commands.main(["address", "7d5e", "city=Leeds", "line2=Flat=4"]) == 0
    assert stack.asked[-1] == ("PUT", "/orders/7d5e0000-cccc/address", {"city": "Leeds", "name": "Ada", "line2": "Flat=4"})


MONEY_BACK = "/orders/7d5e0000-cccc/refunds"


@pytest.mark.parametrize(
    ("words", "path", "body"),
    [
        ([], MONEY_BACK, {"reason": "By hand"}),
        (["--amount", "5", "--reason", "Late"], MONEY_BACK, {"amount": {"amount": 500, "currency": "USD"}, "reason": "Late"}),
        (["--item", "1=2"], MONEY_BACK, {"items": [{"line_id": "1", "quantity": 2}], "reason": "By hand"}),
        (["--retry", "ref-1"], f"{MONEY_BACK}/ref-1/retry", {}),
        (["--complete", "ref-1"], f"{MONEY_BACK}/ref-1/complete", {}),
    ],
)
def test_money_is_given_back_by_amount_by_pieces_or_as_a_whole(
    stack: FakeStack, words: list[str], path: str, body: dict[str, Any]
) -> None:
    assert commands.main(["refund", "7d5e", *words]) == 0
    assert stack.asked[-1] == ("POST", path, body)


@pytest.mark.parametrize(
    ("text", "currency", "amount"), [("5.00", "USD", 500), ("0.1", "USD", 10), ("7", "JPY", 7), ("1.234", "BHD", 1234)]
)
def test_an_amount_is_read_by_its_currency(text: str, currency: str, amount: int) -> None:
    assert refunds.minor_units(text, currency) == amount


@pytest.mark.parametrize("text", ["five", "1.234", "", "NaN", "Infinity"])
def test_what_is_no_amount_ends_the_command_with_words(text: str) -> None:
    with pytest.raises(SystemExit, match="is not an amount"):
        refunds.minor_units(text, "USD")


@pytest.mark.parametrize(
    ("given", "meant"), [("7d5e0", ORDERS[2]), ("bbbb", ORDERS[1]), (ORDERS[0], ORDERS[0]), ("zzzz", "zzzz"), ("7", "7")]
)
def test_an_order_is_found_by_the_beginning_or_end_of_its_id(stack: FakeStack, given: str, meant: str) -> None:
    assert lookup.order_id(Api("http://127.0.0.1:3000"), given) == meant


def test_what_may_be_several_orders_is_asked_back(stack: FakeStack, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["cancel", "2f3a9c10"]) == 1
    assert capsys.readouterr().err == "orders: 2f3a9c10 is not one order but 2: 2f3a9c10-aaaa, 2f3a9c10-bbbb\n"
    assert not [method for method, _, _ in stack.asked if method == "POST"]


def test_only_what_was_logged_of_the_order_is_printed(stack: FakeStack, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["logs", "cccc"]) == 0
    assert capsys.readouterr().out == f'2026-11-20T12:00:00Z  INFO     {CHARGE}  Refused  {{"code": "NOT_FOUND"}}\n'
    assert commands.main(["logs", "7d5e", "--json"]) == 0
    assert capsys.readouterr().out == f"{LOGGED[1][1]}\n"
    assert commands.main(["logs", ORDERS[1]]) == 0
    assert "Nothing was logged" in capsys.readouterr().err


@pytest.mark.parametrize(("word", "meant"), [("shwo", "show"), ("webhook", "webhooks"), ("cancle", "cancel")])
def test_a_misspelled_command_is_guessed(word: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commands.main([word])
    assert f"there is no command '{word}'; did you mean {meant}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        *(["serve", "--port", "99999"], ["serve", "--port", "-1"], ["serve", "--aws-port", "x"], ["listen", "--port", "1e9"]),
        *(
            ["serve", "--payment-seconds", "-1"],
            ["serve", "--set", "Nope"],
            ["load", "--rate", "0"],
            ["load", "--minutes", "nan"],
        ),
        *(["show"], ["hold", "x"], ["return", "everything", "x"], ["redrive", "nothing"], ["token"]),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_starts(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = commands.main(words)
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code == 2
    assert re.search(r"^orders.*: .*", capsys.readouterr().err, re.MULTILINE)


def test_a_refusal_is_told_once() -> None:
    problem = {
        "code": "INVALID_ARGUMENT",
        "detail": "limit: is too much",
        "errors": [{"field": "limit", "message": "is too much"}],
    }
    assert str(Refused(400, problem)) == "400 INVALID_ARGUMENT: limit: is too much"


class NoStack(BaseHTTPRequestHandler):
    """Something else than a stack of orders."""

    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>")

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), NoStack)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    "words",
    [
        *(["list"], ["show", "a b/#?"], ["pay", "é"], ["watch", "x"], ["place", ":", "a:b:c"], ["webhooks"]),
        *(["webhooks", "add", "nowhere"], ["show", ""], ["refund", "x", "--amount", "1e9"], ["return", "take", "../x"]),
        *(
            ["address", "x", "city="],
            ["sync", "\N{RIGHT-TO-LEFT OVERRIDE}"],
            ["hold", "x", ""],
            ["export", "\\"],
            ["token", "ada"],
        ),
    ],
)
def test_what_is_no_stack_is_said_so(elsewhere: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for url in (elsewhere, "nowhere", "ftp://127.0.0.1", "http://127.0.0.1:1"):
        assert commands.main([*words, "--url", url]) == 1
        assert capsys.readouterr().err.startswith("orders: ")


def test_the_stack_that_was_started_last_is_found_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("ORDERS_URL", raising=False)
    assert url_of(None) == "http://127.0.0.1:3000"
    variables = last_stack.announce("http://127.0.0.1:4711", 4711, {"CUSTOMER": "it's"})
    assert url_of(None) == "http://127.0.0.1:4711"
    assert variables.read_text() == "export CUSTOMER='it'\"'\"'s'\n"
    assert stat.S_IMODE(variables.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR
    now_ended(tmp_path / "orders/4711.json")
    assert url_of(None) == "http://127.0.0.1:3000"


def now_ended(announced: Path) -> None:
    announced.write_text(announced.read_text().replace(str(os.getpid()), "999999999"))


def test_an_older_stack_is_found_again_when_a_later_one_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("ORDERS_URL", raising=False)
    older = last_stack.announce("http://127.0.0.1:4712", 4712, {"CUSTOMER": "older"})
    last_stack.announce("http://127.0.0.1:4711", 4711, {"CUSTOMER": "later"})
    assert url_of(None) == "http://127.0.0.1:4711"
    now_ended(tmp_path / "orders/4711.json")
    assert url_of(None) == "http://127.0.0.1:4712"
    assert older.read_text() == "export CUSTOMER=older\n"


def test_a_stack_removes_its_own_files_and_those_of_ended_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    directory = tmp_path / "orders"
    last_stack.announce("http://127.0.0.1:4711", 4711, {})
    now_ended(directory / "4711.json")
    last_stack.withdraw()
    assert {path.name for path in directory.iterdir()} == {"4711.json", "4711.env"}, "they are another stack's"
    (directory / "4713.json").write_text("{}")
    last_stack.announce("http://127.0.0.1:4712", 4712, {})
    assert {path.name for path in directory.iterdir()} == {"4712.json", "4712.env", "4713.json"}
    last_stack.withdraw()
    assert [path.name for path in directory.iterdir()] == ["4713.json"]


def test_a_running_stack_tells_of_each_change_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    item = {
        "kind": "event",
        "order_id": "order-1",
        "status": "CANCELLED",
        "old_status": "PENDING",
        "type": "ORDER_CANCELLED",
        "at": "2026-11-20T12:00:00.000Z",
        "by": "ada",
        "reason": "too late",
    }
    image = {name: {"S": value} for name, value in item.items()}
    for event_name, told in (("INSERT", image), ("MODIFY", image), ("INSERT", image | {"kind": {"S": "order"}})):
        serving._print_change({"eventName": event_name, "dynamodb": {"NewImage": told}})
    assert capsys.readouterr().out == "2026-11-20T12:00:00.000Z  order-1  CANCELLED   Order cancelled       ada  too late\n"


class AnOrderThatGoesOn(Api):
    """Its payment begins while its progress is read for the first time."""

    versions = 1

    def call(self, method: str, path: str, body: Any = None) -> Any:
        if path.endswith("/history"):
            types = ["STOCK_RESERVED", "PAYMENT_STARTED"][: self.versions]
            return {"history": [{**EVENT, "version": at, "event_type": name} for at, name in enumerate(types, 1)]}
        self.versions = 2
        return {"steps": [{"name": "Payment Processing", "status": "IN_PROGRESS"}]}


def test_the_demo_shows_progress_with_the_change_that_made_it() -> None:
    api, order = AnOrderThatGoesOn("http://127.0.0.1:3000"), demo.Watched("A", "tok_ok", "a good card", "DELIVERED", "order-1")
    shown = [line for _ in range(3) for _, line in demo._news(api, order)]
    assert [re.sub(r".*PENDING +", "", line) for line in shown] == [
        "Stock reserved",
        "Payment started       Payment Processing: in progress",
    ]


def test_every_command_completes_and_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    _, known = commands._parser()
    for name in known.choices:
        with pytest.raises(SystemExit) as ended:
            commands.main([name, "--help"])
        assert ended.value.code == 0
        assert f"usage: orders {name}" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        commands.main(["--print-completion", "bash"])
    assert f"_subparsers=({' '.join(known.choices)})" in capsys.readouterr().out
