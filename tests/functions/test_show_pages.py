"""The pages as they leave the function: who gets what, what is kept, and that nothing typed can leave its place."""

import gzip
import json
import re
from base64 import b64decode
from datetime import timedelta

import pytest

import show_pages
from orders import settings
from orders.adapters import secret_store
from orders.adapters.store import indexes
from orders.domain import statuses
from orders.domain.identifiers import OrderId
from orders.domain.statuses import TRANSITIONS, OrderStatus, PaymentStatus
from orders.services.changes import utc_now
from orders.web import pages, tokens
from tests.harness.caches import forget
from tests.harness.world import Answer, World

TRACK, DESK, ASSET = "GET /track/{id}", "GET /admin", "GET /assets/{version}/{file+}"
JSON = {"accept": "application/json"}


def link(order_id: str = "order-1", age: timedelta = timedelta(0)) -> dict[str, str]:
    return {"token": tokens.tracking_token(OrderId(order_id), utc_now() - age, secret_store.signing_key())}


def open_page(world: World, order_id: str = "order-1", **more: object) -> Answer:
    return world.http(TRACK, order_id, by=None, **more)  # type: ignore[arg-type]


def island(page: str, name: str) -> object:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_a_tracking_link_opens_a_page_that_carries_what_it_shows(world: World) -> None:
    world.live(OrderStatus.SHIPPED)
    page = open_page(world, query=link())
    shown = island(page.text, "order")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert isinstance(shown, dict)
    assert shown["order"]["status"] == "SHIPPED"
    assert shown["shipment"]["tracking_number"].startswith("TRACK-")
    assert shown["payment"]["status"] == "COMPLETED"
    assert [step["name"] for step in shown["progress"]["steps"]][-1] == "Delivery"


def test_a_tracking_link_tells_nobody_who_ordered_or_who_decided(world: World) -> None:
    world.place(by="somebody-known")
    world.support("POST /orders/{id}/cancel", "order-1", {"reason": "a word between us"})
    page = open_page(world, query=link())
    for secret in ("somebody-known", "grace", "a word between us"):
        assert secret not in page.text


def test_the_page_asks_its_own_address_for_json(world: World) -> None:
    world.place()
    answer = open_page(world, query=link(), headers=JSON)
    assert answer.headers["content-type"] == "application/json"
    assert answer.body["order"]["order_id"] == "order-1"


def test_without_a_token_there_is_a_page_and_no_data(world: World) -> None:
    world.place()
    assert island(open_page(world).text, "order") is None
    assert open_page(world, headers=JSON).status == 401


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_link_that_is_forged_foreign_or_expired_is_refused(world: World, accept: str) -> None:
    world.place()
    forged = {"token": link()["token"][:-1] + "!"}
    for query in (forged, {"token": ""}, link("order-2"), link(age=tokens.TRACKING_LIFETIME)):
        answer = open_page(world, query=query, headers={"accept": accept})
        assert answer.status == 403
        assert "html" in answer.headers["content-type"] or answer.code == "PERMISSION_DENIED"


def test_a_refusal_is_a_page_with_a_way_on(world: World) -> None:
    answer = open_page(world, "no-such-order", query=link("no-such-order"))
    assert answer.status == 404
    assert "There is no such order" in answer.text
    assert open_page(world, "<script>", query=link()).status == 400


def test_what_a_customer_types_cannot_end_the_block_it_stands_in(world: World) -> None:
    wicked = "</script><script>alert(1)</script><!--\u2028&"
    world.place(
        shipping_address={
            "name": "Ada",
            "line1": wicked.replace("\u2028", " "),
            "city": "L",
            "postal_code": "1",
            "country": "GB",
        }
    )
    page = open_page(world, query=link()).text
    assert "<script>alert" not in page
    assert "<!--" not in page
    shown = island(page, "order")
    assert isinstance(shown, dict)
    assert shown["order"]["shipping_address"]["line1"] == wicked.replace("\u2028", " ")


def test_the_page_is_in_the_order_s_language_then_the_browser_s_and_the_reader_may_choose(world: World) -> None:
    world.place(contact={"locale": "de-AT"})
    world.place("order-2")
    arabic = {"accept-language": "ar-EG,ar;q=0.9,en;q=0.5"}
    german = open_page(world, query=link(), headers=arabic).text
    assert '<html lang="de-AT" dir="ltr">' in german
    assert "catalog-de.js" in german
    assert "<title>Ihre Bestellung</title>" in german
    assert '<html lang="ar-EG" dir="rtl">' in open_page(world, "order-2", query=link("order-2"), headers=arabic).text
    assert '<html lang="ar" dir="rtl">' in open_page(world, query=link() | {"lang": "ar"}).text
    assert '<html lang="en" dir="ltr">' in open_page(world, "order-2", query=link("order-2") | {"lang": '"><b>'}).text
    for refused in (
        open_page(world, query={"token": "x"}, headers=arabic),
        open_page(world, "none", query=link("none"), headers=arabic),
    ):
        assert 'dir="rtl"' in refused.text
    for path in ("GET /signed-in", "GET /unsubscribe"):
        assert '<html lang="ar-EG" dir="rtl">' in world.http(path, by=None, headers=arabic).text


def test_the_shop_s_name_logo_and_contact_stand_on_what_customers_see_and_nowhere_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    logo = "https://shop.example/logo.svg"
    monkeypatch.setenv("SHOP_NAME", "Tea & Cups")
    monkeypatch.setenv("SHOP_LOGO_URL", logo)
    monkeypatch.setenv("SHOP_CONTACT", "help@shop.example")
    world.place()
    seen = [
        open_page(world, query=link()),
        open_page(world, query={"token": "x"}),
        world.http("GET /unsubscribe", by=None),
    ]
    for page in seen:
        assert f'<img src="{logo}" alt="Tea &amp; Cups">' in page.text
        assert '<a href="mailto:help@shop.example">' in page.text
        assert f"img-src 'self' {logo};" in page.headers["content-security-policy"]
    desk = world.http(DESK, by=None)
    assert logo not in desk.text
    assert "img-src 'self';" in desk.headers["content-security-policy"]
    monkeypatch.setenv("SHOP_LOGO_URL", "")
    plain = open_page(world, query=link())
    assert '<span class="brand">Tea &amp; Cups</span>' in plain.text
    assert "img-src 'self';" in plain.headers["content-security-policy"]


def test_a_placeholder_in_somebody_s_words_is_not_filled(world: World) -> None:
    address = {"name": "{{config}}", "line1": "{{assets}}", "city": "L", "postal_code": "1", "country": "GB"}
    world.place(shipping_address=address)
    shown = island(open_page(world, query=link()).text, "order")
    assert isinstance(shown, dict)
    assert shown["order"]["shipping_address"]["line1"] == "{{assets}}"


def test_a_page_is_asked_for_again_and_sent_once(world: World) -> None:
    first = world.http(DESK, by=None)
    assert first.headers["cache-control"] == "private, no-cache"
    again = world.http(DESK, by=None, headers={"if-none-match": first.headers["etag"]})
    assert (again.status, again.text) == (304, "")


@pytest.mark.parametrize("headers", [{}, JSON, {"if-none-match": "*"}])
def test_what_a_link_opens_is_kept_by_nobody_and_its_address_told_to_nobody(world: World, headers: dict[str, str]) -> None:
    world.place()
    for query, path in ((link(), "order-1"), ({}, "order-1"), ({"token": "forged"}, "order-1"), (link("other"), "other")):
        answer = open_page(world, path, query=query, headers=headers)
        assert answer.headers["cache-control"] == "no-store"
        assert "etag" not in answer.headers
        assert answer.headers.get("referrer-policy") == "no-referrer" or "problem" in answer.headers["content-type"]
    watched = world.http("GET /orders/{id}/status", "order-1", by=None, query=link())
    assert watched.headers["cache-control"] == "no-store"


def test_where_a_sign_in_comes_back_with_its_code_is_kept_by_nobody(world: World) -> None:
    answer = world.http("GET /signed-in", by=None, query={"code": "c", "state": "s"})
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert "etag" not in answer.headers


def test_the_policy_lets_in_our_own_files_and_nothing_inline(world: World) -> None:
    policy = world.http(DESK, by=None).headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "require-trusted-types-for 'script'" in policy


def test_the_policy_and_the_page_know_where_people_sign_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGN_IN_URL", "https://orders-1.auth.example.com")
    forget(pages)
    page = world.http(DESK, by=None)
    forget(pages)
    assert "connect-src 'self' https://orders-1.auth.example.com;" in page.headers["content-security-policy"]
    assert island(page.text, "config") == {
        "sign_in": {
            "url": "https://orders-1.auth.example.com",
            "client_id": settings.jwt_audience(),
            "groups_claim": "cognito:groups",
        },
        "transitions": statuses.transitions(),
        "payment_statuses": list(PaymentStatus),
        "simulated": True,
    }


@pytest.mark.parametrize("name", ["PAYMENT_PROVIDER", "CARRIER_PROVIDER"])
def test_sample_orders_are_offered_only_where_both_parties_are_simulated(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "another")
    config = island(world.http(DESK, by=None).text, "config")
    assert isinstance(config, dict)
    assert config["simulated"] is False


def test_no_page_holds_a_script_or_a_style_of_its_own() -> None:
    for path in show_pages.PAGES.folder.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "style=" not in text
        assert not re.search(r"\son\w+=", text)
        for script in re.findall(r"<script([^>]*)>", text):
            assert "src=" in script or 'type="application/json"' in script


def test_the_pages_name_no_other_host() -> None:
    spoken_of = re.compile(rb"https?://[\w.$]+")
    for name, content in show_pages.PAGES.assets.items():
        hosts = {found.decode() for found in spoken_of.findall(content)} - {"http://www.w3.org"}
        # Only the link to AWS's console, and the field in which an admin types an address.
        assert all("$" in host for host in hosts), (name, hosts)


def test_an_asset_is_kept_for_ever_under_the_hash_of_what_all_assets_hold(world: World) -> None:
    wanted = {"version": show_pages.PAGES.version, "file": "vendor/dagre.js"}
    answer = world.http(ASSET, wanted, by=None)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    older = world.http(ASSET, wanted | {"version": "older"}, by=None)
    assert older.text == answer.text
    assert "immutable" not in older.headers["cache-control"]


def test_an_asset_is_packed_for_whoever_can_unpack_it(world: World) -> None:
    wanted = {"version": show_pages.PAGES.version, "file": "base.css"}
    plain = world.http(ASSET, wanted, by=None).text
    packed = world.http(ASSET, wanted, by=None, headers={"accept-encoding": "gzip, br"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(b64decode(packed.text)).decode() == plain


@pytest.mark.parametrize("name", ["track.html", "../show_pages.py", "vendor/dagre.LICENSE", "nothing.js", ""])
def test_only_what_a_page_loads_is_served(world: World, name: str) -> None:
    assert world.http(ASSET, {"version": show_pages.PAGES.version, "file": name}, by=None).status == 404


def test_every_file_that_a_page_or_a_script_names_is_there() -> None:
    names = set(show_pages.PAGES.assets)
    for path in [*show_pages.PAGES.folder.glob("*.html"), *show_pages.PAGES.folder.glob("*.js")]:
        text = path.read_text(encoding="utf-8").replace("{{language}}", "en")
        for named in re.findall(r"\{\{assets\}\}/([\w./-]+)", text) + re.findall(
            r"(?:from|import\()\s*\"\./([\w./-]+)\"", text
        ):
            assert named in names, (path.name, named)


def test_the_pages_offer_what_the_transition_table_allows(world: World) -> None:
    config = island(world.http(DESK, by=None).text, "config")
    assert isinstance(config, dict)
    assert config["transitions"] == {status: sorted(allowed) for status, allowed in TRANSITIONS.items()}


# --- overdue orders, which the desk shows first ---


def overdue(world: World, **query: str) -> Answer:
    return world.support("GET /orders", query={"overdue": "true", **query})


def make_overdue(order_id: str, minutes: int) -> None:
    place = next(place for place in indexes.orders_due(None) if place.order_id == order_id)
    assert indexes.postpone(place, utc_now() - timedelta(minutes=minutes))


def test_overdue_orders_come_longest_overdue_first_page_by_page(world: World) -> None:
    for number, minutes in enumerate((5, 30, 10, 20)):
        world.place(f"late-{number}")
        make_overdue(f"late-{number}", minutes)
    world.place("in-time")
    first = overdue(world, limit="3").body
    assert [order["order_id"] for order in first["orders"]] == ["late-1", "late-3", "late-2"]
    rest = overdue(world, limit="3", cursor=first["next_cursor"]).body
    assert [order["order_id"] for order in rest["orders"]] == ["late-0"]
    assert rest["next_cursor"] is None


def test_an_overdue_order_that_is_over_is_overdue_no_more(world: World) -> None:
    world.place("late-1")
    make_overdue("late-1", 5)
    world.support("POST /orders/{id}/cancel", "late-1")
    assert overdue(world).body["orders"] == []


def test_overdue_orders_are_for_support(world: World) -> None:
    assert world.http("GET /orders", query={"overdue": "true"}).status == 403
    assert world.support("GET /orders", query={"overdue": "yes"}).fields == ["overdue"]
    assert overdue(world, status="PENDING").fields == ["overdue"]


def test_a_cursor_of_another_list_leads_nowhere_among_the_overdue(world: World) -> None:
    for number in range(2):
        world.place(f"order-{number}")
    other = world.support("GET /orders", query={"limit": "1"}).body["next_cursor"]
    assert overdue(world, cursor=other).fields == ["cursor"]
