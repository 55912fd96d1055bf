"""The small tools for a running stack: what they send is what the product takes, and what they are sent they check."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local.cli import carriers, commands, dead_letters, pay, products, returns, warehouse
from local.cli.carriers import EVENTS, SIGNERS, STATUSES
from local.cli.client import Api, Refused
from local.cli.listen import Receiver
from local.cli.watch import Frame, Stream, line
from orders.adapters import carrier_webhooks, webhook_sender
from orders.domain.errors import Unauthenticated
from orders.domain.money import Money
from orders.domain.statuses import ShipmentStatus
from orders.domain.webhooks import Delivery, new_secret
from orders.web import bodies, payment_schema
from orders.web.fulfillment_schema import FulfillmentStatusChanged
from tests.harness.events import a_batch, a_record
from tests.harness.fakes import FakeLambda

SECRET = "a-secret-of-forty-letters-and-digits-000"[:40].replace("-", "x")
NOW = datetime.now(UTC)


# --- orders warehouse ---


def asked(*words: str) -> Any:
    return commands.parsed(["warehouse", "order-1", *words])


@pytest.mark.parametrize("status", warehouse.STATUSES)
def test_what_is_put_on_the_bus_is_what_the_consumer_takes(status: str) -> None:
    wanted = asked(status.upper(), "--item", "1=2", "--item", "2=1", "--carrier", "DHL", "--tracking-number", "JD0146")
    detail = warehouse.event(wanted, NOW)
    assert detail["items"] == [{"line_id": "1", "quantity": 2}, {"line_id": "2", "quantity": 1}]
    taken = bodies.parse(FulfillmentStatusChanged, json.dumps(detail).encode()).event(NOW, by_pipeline=False)
    assert (taken.order_id, taken.new_status, taken.event_id) == ("order-1", status, detail["event_id"])
    assert taken.metadata == {"carrier": "DHL", "tracking_number": "JD0146"}


@pytest.mark.parametrize("declined", [False, True])
def test_what_is_put_on_the_bus_for_a_payment_is_what_the_consumer_takes(declined: bool) -> None:
    payment = {"payment_id": "pay-1", "status": "REQUIRES_ACTION", "amount": {"amount": 3000, "currency": "USD"}}
    detail = pay.event("order-1", payment, declined=declined)
    report = payment_schema.read_message(json.dumps(detail))
    assert (report.order_id, report.payment_id, report.event_id) == ("order-1", "pay-1", detail["event_id"])
    assert (report.is_confirmed, report.amount) == (not declined, None if declined else Money(3000, "USD"))


@pytest.mark.parametrize("text", ["1", "1=", "=2", "1=0", "1=-1", "1=x", "1=1.5"])
def test_what_is_no_piece_of_a_line_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        asked("shipped", "--item", text)
    assert "LINE=N" in capsys.readouterr().err


def test_serve_says_what_a_data_directory_does_not_keep(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commands.main(["serve", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "Messages in queues (events, webhook deliveries in progress) and executions are not kept" in said


# --- orders carrier ---


@pytest.mark.parametrize(
    ("status", "name"), [(status, name) for status in STATUSES for name in EVENTS if status in carriers.SAID_BY[name]]
)
def test_what_is_sent_as_a_carrier_is_taken_as_that_carrier_s(status: str, name: str) -> None:
    now = datetime.now(UTC)
    at = now.replace(microsecond=0) - timedelta(hours=1)
    body = json.dumps(EVENTS[name]("evt-1", "TRACK-1", status, at, "London")).encode()
    headers = SIGNERS[name](body, SECRET, "evt-1")
    report = carrier_webhooks.receive(name, body, headers, SECRET, now)
    assert report
    assert report.tracking_number == "TRACK-1"
    assert report.scan.status is ShipmentStatus(status.upper())
    assert (report.scan.at, report.scan.location) == (at, "London")
    with pytest.raises(Unauthenticated):
        carrier_webhooks.receive(name, body + b" ", headers, SECRET, now)


def test_every_carrier_we_know_can_be_played() -> None:
    assert set(EVENTS) == set(SIGNERS) == set(carriers.SECRETS) == set(carrier_webhooks.SENDERS)


# --- orders listen ---


@contextmanager
def serving(server: Any) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_listener_prints_what_is_signed_and_refuses_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPBACK_WEBHOOKS", "true")
    secret, shown = new_secret(b"a" * 24), list[str]()
    data = {"order_id": "order-1", "version": 3, "new_status": "PROCESSING"}
    payload = json.dumps({"type": "OrderStatusChanged", "timestamp": "2026-11-20T12:00:00.000Z", "data": data})
    delivery = Delivery("wh-1", "evt-1", "OrderStatusChanged", payload, NOW)
    receiver = Receiver(0, show=shown.append)
    with serving(receiver) as url:
        assert webhook_sender.send(delivery, url, [secret]).status_code == 401, "it has not subscribed yet"
        receiver.trust(secret)
        assert webhook_sender.send(delivery, url, [secret]).status_code == 204
        assert webhook_sender.send(delivery, url, [new_secret(b"b" * 24)]).status_code == 401
        receiver.answer = 410
        assert webhook_sender.send(delivery, url, [secret]).gone
    assert [message["data"]["order_id"] for message in receiver.seen] == ["order-1"] * 2
    assert [text.split()[0] for text in shown] == [
        "refused:",
        "2026-11-20T12:00:00.000Z",
        "refused:",
        "2026-11-20T12:00:00.000Z",
    ]


# --- orders watch ---


def frame(version: int, status: str = "PENDING") -> str:
    return f"id: {version}\nevent: STOCK_RESERVED\ndata: {json.dumps({'status': status, 'version': version})}\n\n"


class Scripted(BaseHTTPRequestHandler):
    """Answers as it was told, one after the other; notes from where it was asked to go on."""

    script: list[tuple[int, str] | None]
    asked: list[str | None]

    def do_GET(self) -> None:
        self.asked.append(self.headers.get("last-event-id"))
        step = self.script.pop(0)
        if step is None:
            self.close_connection = True
            return
        code, text = step
        self.send_response(code)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def follow(script: list[tuple[int, str] | None]) -> tuple[list[Frame], list[str | None], list[float]]:
    handler = type("Script", (Scripted,), {"script": script, "asked": []})
    slept: list[float] = []
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as url:
        frames = list(Stream(url, "token", slept.append).frames())
    return frames, handler.asked, slept  # type: ignore[attr-defined]


def test_a_watcher_goes_on_where_it_was_over_every_interruption() -> None:
    first = "retry: 500\n\n" + frame(1) + frame(2)
    script = [(200, first), None, (503, "{}"), (200, "retry: 500\n\n"), (200, "retry: 500\n\n" + frame(3)), (204, "")]
    frames, asked, slept = follow(script)
    assert [one.id for one in frames] == ["1", "2", "3"]
    assert asked == [None, "2", "2", "2", "2", "3"]
    assert slept == [0.5, 1.0, 2.0, 0.5, 0.5], "as the stream asks, and ever longer while nobody answers"


def test_a_watcher_that_is_refused_says_so() -> None:
    with pytest.raises(Refused, match="403"):
        follow([(403, json.dumps({"code": "PERMISSION_DENIED", "detail": "This order belongs to another customer."}))])


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, {"message": "Unauthorized"}, "401: Unauthorized"),
        (429, {"message": "Too Many Requests"}, "429: Too Many Requests"),
        (409, {"code": "ALREADY_EXISTS", "detail": "It is there."}, "409 ALREADY_EXISTS: It is there."),
        (502, {}, "502: no reason given"),
    ],
)
def test_a_refusal_is_said_whether_the_gateway_refuses_or_the_product(status: int, body: dict[str, str], said: str) -> None:
    assert str(Refused(status, body)) == said


def test_a_watcher_whom_the_gateway_refuses_says_so() -> None:
    with pytest.raises(Refused, match=r"^401: Unauthorized$"):
        follow([(401, json.dumps({"message": "Unauthorized"}))])


def test_a_line_says_where_the_order_is() -> None:
    progress = {"status": "SHIPPED", "steps": [], "current_step": "Delivery", "last_updated": "12:00", "overall_status": "x"}
    assert line(Frame("6", "status", progress)).split() == ["12:00", "v6", "SHIPPED", "Status", "Delivery"]
    change = {"status": "DELIVERED", "timestamp": "12:01", "progress": {"current_step": None, "overall_status": "COMPLETED"}}
    assert line(Frame("9", "ORDER_DELIVERED", change)).split() == [
        "12:01",
        "v9",
        "DELIVERED",
        "Order",
        "delivered",
        "COMPLETED",
    ]


# --- orders redrive: what a consumer of the stream has set aside ---


def test_a_record_that_was_set_aside_goes_back_to_its_consumer() -> None:
    lambdas = FakeLambda()
    place: Any = SimpleNamespace(resources={"PublishChangesFunction": "orders-publish-changes"}, client=lambda _: lambdas)
    record = a_record({})
    letter = {"Body": json.dumps({"consumer": "publish_changes", "error": "KeyError: 'type'", "record": record})}
    send = dead_letters._sender(place, letter)
    assert send
    send()
    assert lambdas.invoked == [("orders-publish-changes", a_batch([record]))]


# --- orders products ---

FILE = """product_id,name,amount,currency,stock
a,Vase,1250,USD,10
VSK/RED 42,Lamp,x,USD,10
c,,1000,USD,5
a,Vase,1250,USD,11
e,Mug,1000,USD,3
"""


class FakeCatalog(Api):
    """A stack that refuses products without a name, and is busy once."""

    def __init__(self) -> None:
        super().__init__("http://stack")
        self.sent: dict[str, list[str | None]] = {}
        self.busy = 1

    def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Any:
        if self.busy:
            self.busy -= 1
            raise Refused(503, {"code": "UNAVAILABLE", "detail": "busy"})
        if not json.loads(body or b"")["name"]:
            raise Refused(400, {"code": "INVALID_ARGUMENT", "detail": "name: is too short"})
        assert method == "PUT"
        self.sent.setdefault(path, []).append(headers.get("idempotency-key"))
        return {}


def test_a_file_of_products_is_sent_row_by_row_and_bad_rows_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = FakeCatalog()
    monkeypatch.setattr(Api, "signed_in", lambda *_: catalog)
    monkeypatch.setattr(products, "AT_ONCE", 1)
    (tmp_path / "new.csv").write_text(FILE)
    for _ in range(2):
        assert commands.main(["products", "import", str(tmp_path / "new.csv")]) == 1
    shown = capsys.readouterr()
    assert shown.out.splitlines() == ["2 of 5 products imported, 3 refused"] * 2
    assert "line 3 (VSK/RED 42): amount: 'x' is not a whole number" in shown.err
    assert "line 4 (c): 400 INVALID_ARGUMENT: name: is too short" in shown.err
    assert "line 5 (a): product_id: is on line 2 too" in shown.err
    assert "5 of 5 rows" in shown.err
    keys = [set(catalog.sent[path]) for path in ("/products?product_id=a", "/products?product_id=e")]
    assert [len(found) for found in keys] == [1, 1]
    assert not keys[0] & keys[1]
    assert all(len(key or "") <= 255 for found in keys for key in found)
    commands.main(["products", "import", "--again", str(tmp_path / "new.csv")])
    assert catalog.sent["/products?product_id=a"][-1] is None


def test_the_catalog_is_listed_page_by_page_with_what_is_on_hand_reserved_and_sold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    vase = {"product_id": "vase", "name": "Vase", "unit_price": {"amount": 1250, "currency": "USD"}}
    figures = {"stock": 7, "reserved": 2, "on_hand": 9, "sold": 30}
    pages = {
        "/stock?limit=100": {"products": [vase | figures], "next_cursor": "a/b"},
        "/stock?limit=100&cursor=a/b": {"products": [vase | figures | {"product_id": "cup"}], "next_cursor": None},
    }
    monkeypatch.setattr(Api, "signed_in", lambda self, *_: self)
    monkeypatch.setattr(Api, "call", lambda _, method, path: pages[path])
    assert commands.main(["products", "--url", "http://stack"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["Product", "Stock", "Reserved", "On", "hand", "Sold", "Price", "Name"],
        ["vase", "7", "2", "9", "30", "12.50", "USD", "Vase"],
        ["cup", "7", "2", "9", "30", "12.50", "USD", "Vase"],
    ]


def test_a_file_without_the_columns_is_refused() -> None:
    with pytest.raises(SystemExit, match="missing: amount, stock"):
        list(products.rows("product_id,name,currency\na,b,USD\n"))


@pytest.mark.parametrize("text", ["1", "1=x", "1=1:lost", "=1"])
def test_what_is_no_piece_that_came_back_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commands.parsed(["return", "receive", "order-1", text])
    assert "is not LINE=N" in capsys.readouterr().err


def test_all_that_is_still_to_come_of_a_return_is_received_unless_pieces_are_named() -> None:
    one = {"items": [{"line_id": "1", "quantity": 3, "received": [{"quantity": 2, "condition": "damaged"}]}]}
    left = {"line_id": "1", "quantity": 1, "condition": "resellable"}
    assert returns.receipt(one, [], final=False) == {"items": [left]}
    named = commands.parsed(["return", "receive", "order-1", "1=1:damaged", "--final"])
    received = returns.receipt(one, named.pieces, final=named.final)
    assert received == {"items": [left | {"condition": "damaged"}], "final": True}
