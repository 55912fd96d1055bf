"""E-mails to customers: what is sent in which language, to whom no more, and what is left after an erasure."""

import json
import re
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

import notify_customers
from local import documents
from orders.adapters import mail_service
from orders.domain import mails
from orders.domain.events import MAIL_SOURCE
from orders.domain.identifiers import CustomerId
from orders.domain.languages import LANGUAGES, direction_of
from orders.domain.mails import ABOUT, UNSUBSCRIBABLE, MailKind
from orders.domain.statuses import OrderStatus
from orders.domain.steps import CancelReason
from orders.services import letters, privacy
from orders.settings import Shop
from orders.web import personal_data
from tests.harness.world import CUSTOMER, World

RESOURCES = documents.read(Path(__file__).parents[2] / "template.yaml")["Resources"]
ADDRESS = "ada@example.com"
SITE = "https://shop.example.com"


class Outbox:
    """The mail service: what it was given, and what it says next."""

    def __init__(self) -> None:
        self.sent: list[dict[str, str]] = []
        self.fault: Exception | None = None

    def send(self, to: str, subject: str, text: str, html: str, unsubscribe_url: str) -> None:
        if self.fault:
            raise self.fault
        self.sent.append({"to": to, "subject": subject, "text": text, "html": html, "unsubscribe": unsubscribe_url})


@pytest.fixture
def outbox(monkeypatch: pytest.MonkeyPatch) -> Outbox:
    found = Outbox()
    monkeypatch.setattr(mail_service, "send", found.send)
    monkeypatch.setenv("MAIL_SENDER", "shop@example.com")
    monkeypatch.setenv("PAGES_URL", SITE)
    return found


def due(order_id: str = "order-1") -> list[dict[str, Any]]:
    """What is published of an order for its mails."""
    from orders.adapters.store import orders  # noqa: PLC0415

    found = [mails.due(event) for event in orders.history(order_id)]  # type: ignore[arg-type]
    return [{"source": MAIL_SOURCE, "detail-type": one[0], "detail": one[1]} for one in found if one]


def deliver(order_id: str = "order-1") -> None:
    for event in due(order_id):
        notify_customers.handler(json.loads(json.dumps(event)), None)


def test_an_order_s_life_is_told_in_its_customer_s_language(world: World, outbox: Outbox) -> None:
    world.live(OrderStatus.DELIVERED, contact={"email": ADDRESS, "locale": "de-AT"}, external_id="#1001")
    deliver()
    assert [mail["subject"] for mail in outbox.sent] == [
        "Wir haben Ihre Bestellung #1001 erhalten",
        "Ein Paket Ihrer Bestellung #1001 ist unterwegs",
        "Ihre Bestellung #1001 ist angekommen",
    ]
    assert {mail["to"] for mail in outbox.sent} == {ADDRESS}
    placed, shipped, _ = outbox.sent
    assert f"{SITE}/track/order-1?token=" in placed["text"]
    assert f'<a href="{SITE}/track/order-1?token=' in placed["html"]
    assert (placed["unsubscribe"], shipped["unsubscribe"].startswith(f"{SITE}/unsubscribe?token=")) == ("", True)
    assert shipped["unsubscribe"] in shipped["text"]


def test_a_return_of_a_part_is_told_until_its_money_is_back(world: World, outbox: Outbox) -> None:
    world.live(OrderStatus.DELIVERED, product="prod-001", quantity=3, contact={"email": ADDRESS})
    deliver()
    outbox.sent.clear()
    ask, path = {"items": [{"line_id": "1", "quantity": 2}]}, {"id": "order-1"}
    for end in ("cancel", "approve"):
        asked = world.http("POST /orders/{id}/returns", "order-1", ask).body["returns"][-1]
        path = path | {"return_id": asked["return_id"]}
        assert world.support(f"POST /orders/{{id}}/returns/{{return_id}}/{end}", path).status == 200
    back = {"items": [{"line_id": "1", "quantity": 1, "condition": "damaged"}]}
    assert world.support("POST /orders/{id}/returns/{return_id}/receive", path, back).status == 200
    deliver()
    assert [mail["subject"] for mail in outbox.sent] == [
        "We have your request to return items of order order-1",
        "Your return of items of order order-1 is canceled",
        "We have your request to return items of order order-1",
        "Please send back your items of order order-1",
        "We have what you sent back of order order-1",
        "Money back for your order order-1",
    ]
    assert "these have arrived:\n1 x Product prod-001\n" in outbox.sent[4]["text"]
    assert "10.00 USD has been given back" in outbox.sent[5]["text"]


def test_a_mail_about_a_refund_says_how_much_it_was_and_how_much_in_all(world: World, outbox: Outbox) -> None:
    world.live(OrderStatus.DELIVERED, contact={"email": ADDRESS})
    for cents in (500, 700):
        body = {"amount": {"amount": cents, "currency": "USD"}, "reason": "Arrived scratched"}
        assert world.support("POST /orders/{id}/refunds", "order-1", body).status == 200
    deliver()
    first, second = [mail["text"] for mail in outbox.sent if mail["subject"] == "Money back for your order order-1"]
    assert ("5.00 USD has been given back" in first, "7.00 USD has been given back" in second) == (True, True)
    assert "In all, 12.00 USD" in second


def test_each_parcel_s_mail_has_its_own_number_however_late_it_is_sent(world: World, outbox: Outbox) -> None:
    world.live(OrderStatus.PROCESSING, contact={"email": ADDRESS})
    for line_id, number in (("1", "JD0001"), ("2", "JD0002")):
        body = {"items": [{"line_id": line_id, "quantity": 1}], "carrier": "DHL", "tracking_number": number}
        assert world.support("POST /orders/{id}/shipments", "order-1", body).status == 200
    deliver()
    first, second = [mail["text"] for mail in outbox.sent if "Its tracking number" in mail["text"]]
    assert ("JD0001" in first, "JD0002" in first, "JD0002" in second) == (True, False, True)


def test_what_is_published_for_a_mail_says_nothing_personal(world: World, outbox: Outbox) -> None:
    world.live(OrderStatus.DELIVERED, contact={"email": ADDRESS}, note="a word")
    assert not re.search("example|Ada|word", json.dumps(due()))


def test_a_mail_is_sent_once_and_is_tried_again_after_a_fault(world: World, outbox: Outbox) -> None:
    world.place(contact={"email": ADDRESS})
    outbox.fault = mail_service.MailBusy("later")
    with pytest.raises(mail_service.MailBusy):
        deliver()
    outbox.fault = None
    deliver()
    deliver()
    assert len(outbox.sent) == 1


def test_a_mail_that_is_refused_is_not_tried_again_and_staff_see_why(world: World, outbox: Outbox) -> None:
    world.place(contact={"email": ADDRESS})
    outbox.fault = mail_service.MailRefused("MessageRejected")
    deliver()
    outbox.fault = None
    deliver()
    (shown,) = world.support("GET /orders/{id}/mails", "order-1").body["mails"]
    assert (shown["status"], shown["reason"], shown["to"], outbox.sent) == ("REFUSED", "MessageRejected", ADDRESS, [])
    assert world.http("GET /orders/{id}/mails", "order-1").status == 403


def test_an_order_without_an_address_has_no_mail(world: World, outbox: Outbox) -> None:
    world.place()
    deliver()
    assert outbox.sent == []
    assert world.support("GET /orders/{id}/mails", "order-1").body["mails"] == []


REPORTS: dict[str, dict[str, Any]] = {
    "Bounce": {"bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": "ADA@example.com"}]}},
    "Complaint": {"complaint": {"complainedRecipients": [{"emailAddress": ADDRESS}]}},
}


@pytest.mark.parametrize("kind", REPORTS)
def test_an_address_whose_mail_came_back_gets_no_more(world: World, outbox: Outbox, kind: str) -> None:
    notify_customers.handler({"source": "aws.ses", "detail": {"eventType": kind, **REPORTS[kind]}}, None)
    world.place(contact={"email": ADDRESS})
    deliver()
    (shown,) = world.support("GET /orders/{id}/mails", "order-1").body["mails"]
    assert (outbox.sent, shown["status"], shown["reason"]) == ([], "SUPPRESSED", kind.lower())
    assert ADDRESS not in json.dumps([item for item in world.everything() if item.get("kind") == {"S": "suppression"}])


def test_a_mail_that_came_back_for_now_stops_nothing(world: World, outbox: Outbox) -> None:
    bounce = {"bounceType": "Transient", "bouncedRecipients": [{"emailAddress": ADDRESS}]}
    notify_customers.handler({"source": "aws.ses", "detail": {"eventType": "Bounce", "bounce": bounce}}, None)
    world.place(contact={"email": ADDRESS})
    deliver()
    assert len(outbox.sent) == 1


def test_who_unsubscribes_hears_only_what_they_have_to(world: World, outbox: Outbox) -> None:
    world.live(OrderStatus.SHIPPED, contact={"email": ADDRESS})
    deliver()
    token = dict(parse_qsl(urlsplit(outbox.sent[-1]["unsubscribe"]).query))
    assert token["lang"] == "en"
    asked = world.http("GET /unsubscribe", by=None, query=token)
    assert (asked.status, '<form method="post">' in asked.text) == (200, True)
    assert "form-action 'self'" in asked.headers["content-security-policy"]
    world.live(OrderStatus.DELIVERED, "order-2", contact={"email": ADDRESS.upper()})
    assert world.http("POST /unsubscribe", by=None, query=token).status == 200
    outbox.sent.clear()
    deliver("order-2")
    assert [mail["subject"] for mail in outbox.sent] == ["We have your order order-2"]
    assert world.http("POST /unsubscribe", by=None, query={"token": "x.y"}).status == 403


def test_mails_are_exported_and_erased(world: World, outbox: Outbox) -> None:
    world.live(OrderStatus.DELIVERED, contact={"email": ADDRESS})
    deliver()
    (exported,) = personal_data.export(CustomerId(CUSTOMER))["orders"]
    assert [mail["to"] for mail in exported["mails"]] == [ADDRESS] * 3
    privacy.erase(CustomerId(CUSTOMER), by="carl")
    assert ADDRESS not in json.dumps(world.everything())
    outbox.sent.clear()
    deliver()
    assert outbox.sent == []


def test_no_log_has_an_address(world: World, outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    world.place(contact={"email": ADDRESS})
    outbox.fault = mail_service.MailRefused("MessageRejected")
    deliver()
    assert caplog.records
    assert "example" not in " ".join(str(vars(record)) for record in caplog.records)


SHOP = Shop("<shop>", "https://shop.example/logo.svg", "help@shop.example")
VALUES = {
    **dict.fromkeys(("items", "total", "refunded", "refunded_in_all", "received", "carrier", "tracking_number"), "<x>"),
    **dict.fromkeys(("order", "tracking_url"), "<x>"),
    **dict.fromkeys(("name", "action_url", "unsubscribe_url"), "<x>"),
    "reason": "customer",
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", MailKind)
def test_every_mail_is_there_in_every_language(kind: MailKind, language: str) -> None:
    letter = letters.written(kind, language, VALUES, SHOP)
    assert letter.subject
    assert "\n" not in letter.subject
    assert "<x>" in (letter.text or "")
    assert "<x>" not in (letter.html or "")
    assert (letter.text or "").endswith("\n\n-- \n<shop>\nhelp@shop.example\n")
    assert f'<html lang="{language}" dir="{direction_of(language)}">' in (letter.html or "")
    assert '<img src="https://shop.example/logo.svg" alt="&lt;shop&gt;"' in (letter.html or "")
    assert '<a href="mailto:help@shop.example">' in (letter.html or "")
    source = (letters.FOLDER / language / f"{kind}.txt").read_text(encoding="utf-8")
    assert set(Template(source).get_identifiers()) <= {*VALUES, "why"}
    assert ("unsubscribe_url" in source) is (kind in UNSUBSCRIBABLE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_has_a_sentence_in_every_language(language: str) -> None:
    assert set(letters._reasons(language)) == set(CancelReason)


def test_from_right_to_left_each_value_keeps_its_own_direction_and_links_stay_links() -> None:
    values = {**VALUES, "order": "#1001", "items": "2 x Teapot\n1 x Cup", "tracking_url": "https://shop.example/track/1"}
    letter = letters.written(MailKind.PLACED, "ar", values, Shop("", "", ""))
    assert "\u2068#1001\u2069" in (letter.subject or "")
    assert "\u20682 x Teapot\u2069\n\u20681 x Cup\u2069" in (letter.text or "")
    assert '<a href="https://shop.example/track/1">' in (letter.html or "")
    assert "--" not in (letter.text or "")


def test_every_mail_is_about_a_change_and_no_file_is_left_over() -> None:
    assert set(ABOUT.values()) == set(MailKind)
    files = {path.relative_to(letters.FOLDER).as_posix() for path in letters.FOLDER.rglob("*.*")}
    assert files == {"layout.html", *(f"{one}/{kind}.txt" for one in LANGUAGES for kind in [*MailKind, "reasons"])}


def test_mails_are_sent_and_permitted_only_where_there_is_a_sender() -> None:
    parts = {name: one for name, one in RESOURCES.items() if one.get("Condition") == "SendsMails"}
    assert set(parts) == {"MayMail", "Mails", "MailReports"}
    allowed = [
        action
        for one in RESOURCES.values()
        if one["Type"] == "AWS::Serverless::Function" and one.get("Condition") is None
        for policy in one["Properties"].get("Policies", ())
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    ]
    assert allowed
    assert [action for action in allowed if action.startswith("ses:")] == []
    assert parts["Mails"]["Properties"]["SuppressionOptions"]["SuppressedReasons"] == ["BOUNCE", "COMPLAINT"]
    (sending,) = [
        one for one in parts["MayMail"]["Properties"]["PolicyDocument"]["Statement"] if one["Action"] == "ses:SendEmail"
    ]
    assert sending["Condition"] == {"StringEquals": {"ses:FromAddress": {"Ref": "MailSender"}}}
