"""The tracking page in a browser: watched, acted upon, disturbed."""

import re
from datetime import datetime, timedelta, timezone

from playwright.sync_api import Route, expect

from local.cli.client import Api
from tests.e2e.pages.browsing import HOME, Stack, Visit, wait_for
from tests.e2e.pages.conftest import Visiting

STREAM = "**/status/stream*"
KOLKATA = timezone(timedelta(hours=5, minutes=30))
WICKED = "</script><script>alert('run')</script><img src=x onerror=alert('run')>"


def test_an_order_is_watched_until_it_arrives_without_a_reload(quick: Stack, visit: Visiting) -> None:
    placed = quick.place(require_approval=True)
    with visit(quick) as tab:
        tab.page.goto(quick.link(placed))
        tab.page.evaluate("window.stillHere = true")
        expect(tab.page.locator("[data-state=live]")).to_be_visible()
        quick.as_("sam", "support").call("POST", f"/orders/{placed['order']['order_id']}/approve", {})
        expect(tab.heading()).to_have_text("Your parcel has arrived")
        expect(tab.page.locator(".step.done")).to_have_count(5)
        expect(tab.page.get_by_text("TRACK-")).to_be_visible()
        expect(tab.page.get_by_text("Paid by card")).to_be_visible()
        expect(tab.page.locator("[data-state=over]")).to_be_visible()
        assert tab.page.evaluate("window.stillHere")


def test_the_page_says_when_in_the_reader_s_own_time(patient: Stack, visit: Visiting) -> None:
    order_id = patient.place()["order"]["order_id"]
    support = patient.as_("sam", "support")
    wait_for(lambda: patient.order(order_id)["order"]["status"] == "PROCESSING")
    support.call("PATCH", f"/orders/{order_id}/status", {"status": "SHIPPED"})
    tomorrow = (datetime.now(KOLKATA) + timedelta(days=1)).replace(hour=16, minute=45)
    news = {"location": "Sorting center Pune", "estimated_delivery": tomorrow.isoformat()}
    support.call("PUT", f"/orders/{order_id}/shipment/location", news)
    with visit(patient, zone="Asia/Kolkata") as tab:
        tab.page.goto(patient.link(patient.order(order_id)))
        expect(tab.page.get_by_text("It should be with you tomorrow around 16:45.")).to_be_visible()
        expect(tab.page.get_by_text("India Standard Time")).to_be_visible()


def test_every_scan_stands_on_both_pages_with_its_time_its_place_and_the_carrier_s_words(
    patient: Stack, visit: Visiting
) -> None:
    order_id = patient.shipped()
    first = patient.scan(order_id, status="IN_TRANSIT", location="Utrecht", message="Arrived at the sorting center")
    last = patient.scan(order_id, status="ATTEMPTED", location="London", message="Nobody at home")
    with visit(patient) as tab:
        tab.page.goto(patient.link(patient.order(order_id)))
        expect(tab.heading()).to_have_text("The carrier has tried to deliver your parcel")
        _check_timeline(tab, first, last)
        assert tab.violations() == []
    with visit(patient) as tab:
        tab.sign_in("Sam", f"/admin#/order/{order_id}")
        _check_timeline(tab, first, last)


def _check_timeline(tab: Visit, first: str, last: str) -> None:
    scans = tab.page.locator(".scans li")
    expect(scans).to_have_count(2)
    for place, (at, *words) in enumerate(
        [
            (last, "Delivery attempted", "London", "Nobody at home"),
            (first, "In transit", "Utrecht", "Arrived at the sorting center"),
        ]
    ):
        expect(scans.nth(place).locator("time")).to_have_attribute("datetime", at)
        for text in words:
            expect(scans.nth(place)).to_contain_text(text)


def test_a_parcel_on_its_way_back_is_refunded_when_it_is_back(patient: Stack, visit: Visiting) -> None:
    order_id = patient.shipped()
    patient.scan(order_id, status="RETURNING", location="London")
    with visit(patient) as tab:
        tab.page.goto(patient.link(patient.order(order_id)))
        expect(tab.heading()).to_have_text("Your parcel is on its way back to us")
        expect(tab.page.get_by_text("You paid US$20.00. It will be refunded once we have the parcel.")).to_be_visible()
        expect(tab.page.get_by_text("should be with you")).to_have_count(0)
        with visit(patient) as desk:
            desk.sign_in("Sam", f"/admin#/order/{order_id}")
            desk.page.get_by_role("button", name="The parcel is back").click()
            desk.page.get_by_role("dialog").get_by_role("button", name="The parcel is back").click()
            expect(desk.page.locator("[data-status=RETURNED]").first).to_be_visible()
        expect(tab.heading()).to_have_text("Your parcel has come back to us")
        expect(tab.page.get_by_text("US$20.00 was refunded to your card")).to_be_visible()


def clock(moment: datetime) -> str:
    """The time of day as the pages have it: 9:05, and not 09:05."""
    return f"{moment.hour}:{moment:%M}"


def _check_dates(tab: Visit, delivered: datetime) -> None:
    """Each step that was done says when, in the reader's words and for machines, in the order of their times."""
    dates = tab.page.locator(".step.done time")
    expect(dates).to_have_count(tab.page.locator(".step.done").count())
    times = [datetime.fromisoformat(str(date.get_attribute("datetime"))) for date in dates.all()]
    assert times == sorted(times)
    assert times[-1] == delivered
    expect(dates.last).to_contain_text(clock(delivered))


def test_a_delivery_says_when_the_carrier_made_it_and_a_refund_when_the_money_went_back(
    patient: Stack, visit: Visiting
) -> None:
    order_id = patient.shipped()
    patient.scan(order_id, status="DELIVERED", location="London")
    with visit(patient, zone="UTC") as tab:
        tab.page.goto(patient.link(patient.order(order_id)))
        delivered = datetime.fromisoformat(patient.order(order_id)["shipment"]["delivered_at"])
        expect(tab.page.get_by_text(re.compile(rf"Delivered \w+ at {clock(delivered)}\."))).to_be_visible()
        _check_dates(tab, delivered)
        patient.as_("sam", "support").call("POST", f"/orders/{order_id}/return", {})
        wait_for(lambda: "refunded_at" in patient.order(order_id)["payment"])
        refunded = datetime.fromisoformat(patient.order(order_id)["payment"]["refunded_at"])
        tab.page.reload()
        refund_said = re.compile(rf"US\$20.00 was refunded to your card \w+ at {clock(refunded)}\.")
        expect(tab.page.get_by_text(refund_said)).to_be_visible()
        expect(tab.page.get_by_text(re.compile(rf"^Refunded \w+ at {clock(refunded)}$"))).to_be_visible()


def test_a_payment_that_is_still_to_be_made_leads_to_its_page(quick: Stack, visit: Visiting) -> None:
    placed = quick.place(token="tok_requires_action")
    order_id = placed["order"]["order_id"]
    wait_for(lambda: "next_action" in (quick.order(order_id)["payment"] or {}))
    with visit(quick) as tab:
        tab.page.goto(quick.link(placed))
        expect(tab.page.get_by_text("Please confirm your payment of US$20.00.")).to_be_visible()
        link = tab.page.get_by_role("link", name="Go to the payment page")
        expect(link).to_have_attribute("href", quick.order(order_id)["payment"]["next_action"]["url"])
        quick.as_("sam", "support").call("POST", f"/orders/{order_id}/cancel", {})
        expect(link).to_have_count(0)


def test_a_declined_order_says_why_and_where_the_money_is(quick: Stack, visit: Visiting) -> None:
    with visit(quick) as tab:
        tab.page.goto(quick.link(quick.place(token="tok_declined")))
        expect(tab.heading()).to_have_text("This order was cancelled")
        expect(tab.page.get_by_text("The payment did not go through")).to_be_visible()
        expect(tab.page.get_by_text("You were not charged: The card was declined.")).to_be_visible()
        expect(tab.page.locator(".step.failed")).to_contain_text("Payment failed")


def test_a_customer_signs_in_and_cancels_in_the_middle(patient: Stack, visit: Visiting) -> None:
    placed = patient.place()
    order_id = placed["order"]["order_id"]
    with visit(patient) as tab:
        tab.sign_in("Ada", f"/track/{order_id}")
        expect(tab.heading()).to_have_text("We are packing your order")
        tab.page.get_by_role("button", name="Cancel the order").click()
        dialog = tab.page.get_by_role("dialog")
        dialog.get_by_label("Reason").fill("I found a better one")
        dialog.get_by_role("button", name="Cancel the order").click()
        expect(tab.heading()).to_have_text("This order was cancelled")
        expect(tab.page.get_by_text("You cancelled it.")).to_be_visible()
        expect(tab.page.get_by_text("US$20.00 was refunded to your card")).to_be_visible()
        expect(tab.page.get_by_role("button", name="Cancel the order")).to_have_count(0)
    cancellation = patient.order(order_id)["order"]["cancellation"]
    assert (cancellation["reason"], cancellation["note"]) == ("customer", "I found a better one")


def test_a_customer_changes_the_address_and_is_told_what_is_wrong_with_it(patient: Stack, visit: Visiting) -> None:
    placed = patient.place()
    order_id = placed["order"]["order_id"]
    with visit(patient) as tab:
        tab.sign_in("Ada", f"/track/{order_id}")
        tab.page.get_by_role("button", name="Change the address").click()
        dialog = tab.page.get_by_role("dialog")
        dialog.get_by_label("City").fill("\u202ebroken")
        dialog.get_by_role("button", name="Send it there").click()
        expect(dialog.get_by_role("alert")).to_contain_text("city")
        dialog.get_by_label("City").fill("Ockham")
        dialog.get_by_role("button", name="Send it there").click()
        expect(dialog).to_have_count(0)
        expect(tab.page.get_by_text("Ockham")).to_be_visible()
    assert patient.order(order_id)["order"]["shipping_address"]["city"] == "Ockham"


def test_a_customer_asks_to_return_a_delivered_order_and_keeps_it_after_all(quick: Stack, visit: Visiting) -> None:
    order_id = quick.place()["order"]["order_id"]
    with visit(quick) as tab:
        tab.sign_in("Ada", f"/track/{order_id}")
        tab.page.get_by_role("button", name="Return it").click()
        dialog = tab.page.get_by_role("dialog")
        dialog.get_by_label("Reason").fill("Too small")
        dialog.get_by_role("button", name="Ask to return it").click()
        expect(tab.page.get_by_text("We have your request")).to_be_visible()
        expect(tab.page.get_by_role("button", name="Return it")).to_have_count(0)
        (asked,) = quick.order(order_id)["returns"]
        assert (asked["status"], asked["items"][0]["reason"]) == ("REQUESTED", "Too small")
        tab.page.get_by_role("button", name="Cancel the return").click()
        tab.page.get_by_role("dialog").get_by_role("button", name="Cancel the return").click()
        expect(tab.page.get_by_text("This return was canceled.")).to_be_visible()
        expect(tab.heading()).to_have_text("Your parcel has arrived")


def test_a_shortage_is_shown_to_the_bearer_of_the_link_and_answered_by_the_customer(quick: Stack, visit: Visiting) -> None:
    product = {"name": "Last lamp", "unit_price": {"amount": 1500, "currency": "USD"}, "stock": 1}
    quick.as_("alex", "admin").call("PUT", "/products/a-last-lamp", product)
    placed = quick.place(product="a-last-lamp", shortage="ask")
    order_id = placed["order"]["order_id"]
    wait_for(lambda: quick.order(order_id)["order"].get("shortage") is not None)
    with visit(quick) as tab:
        tab.page.goto(quick.link(placed))
        expect(tab.page.get_by_text("Last lamp. Sign in to take the rest")).to_be_visible()
        expect(tab.page.get_by_role("button", name="Take what is there")).to_have_count(0)
        tab.sign_in("Ada", f"/track/{order_id}")
        expect(tab.page.get_by_text("Last lamp. You can take the rest")).to_be_visible()
        tab.page.get_by_role("button", name="Take what is there").click()
        tab.page.get_by_role("dialog").get_by_role("button", name="Take it").click()
        expect(tab.page.get_by_text("We are out of")).to_have_count(0)
        expect(tab.heading()).to_have_text("Your parcel has arrived")
    (line,) = quick.order(order_id)["order"]["items"]
    assert (line["quantity"], line["quantity_cancelled"]) == (2, 1)


def test_the_bearer_of_a_link_may_look_and_not_touch(patient: Stack, visit: Visiting) -> None:
    placed = patient.place()
    with visit(patient) as tab:
        tab.page.goto(patient.link(placed))
        expect(tab.heading()).to_have_text("We are packing your order")
        expect(tab.page.get_by_role("button", name="Cancel the order")).to_have_count(0)
        tab.choose("Grace")
        expect(tab.heading()).to_have_text("We are packing your order")
        expect(tab.page.get_by_role("button", name="Cancel the order")).to_have_count(0)


def test_somebody_else_s_order_stays_somebody_else_s(patient: Stack, visit: Visiting) -> None:
    order_id = patient.place()["order"]["order_id"]
    with visit(patient) as tab:
        tab.page.goto(f"{patient.url}/track/{order_id}")
        expect(tab.heading()).to_have_text("Sign in to see this order")
        tab.choose("Grace")
        expect(tab.heading()).to_have_text("This order belongs to another customer")


def test_a_link_that_does_not_open_the_order_says_so(patient: Stack, visit: Visiting) -> None:
    one, other = patient.place(), patient.place()
    foreign = patient.link(one).replace(one["order"]["order_id"], other["order"]["order_id"], 1)
    with visit(patient) as tab:
        answer = tab.page.goto(foreign)
        assert answer is not None
        assert answer.status == 403
        expect(tab.heading()).to_have_text("This link does not open the order")
        tab.page.get_by_role("link", name="Sign in to see it").click()
        expect(tab.heading()).to_have_text("Sign in to see this order")


def test_without_the_stream_the_page_asks_again_and_again(quick: Stack, visit: Visiting) -> None:
    placed = quick.place(require_approval=True)
    with visit(quick) as tab:
        tab.page.route(STREAM, lambda route: route.abort())
        tab.page.goto(quick.link(placed))
        expect(tab.page.locator("[data-state=polling]")).to_be_visible()
        quick.as_("sam", "support").call("POST", f"/orders/{placed['order']['order_id']}/approve", {})
        expect(tab.heading()).to_have_text("Your parcel has arrived")


def test_a_stream_that_breaks_is_taken_up_where_it_broke(patient: Stack, visit: Visiting) -> None:
    placed = patient.place(require_approval=True)
    order_id = placed["order"]["order_id"]
    broken: list[str] = []

    def break_twice(route: Route) -> None:
        if len(broken) < 2:
            broken.append(route.request.headers["last-event-id"])
            route.abort()
        else:
            route.continue_()

    support = patient.as_("sam", "support")
    wait_for(lambda: patient.order(order_id)["order"]["version"] >= 3)
    with visit(patient) as tab:
        tab.page.goto(patient.link(placed))
        expect(tab.page.locator("[data-state=live]")).to_be_visible()
        tab.page.route(STREAM, break_twice)
        expect(tab.page.locator("[data-state=polling]")).to_be_visible()
        support.call("POST", f"/orders/{order_id}/approve", {})
        expect(tab.heading()).to_have_text("We are packing your order")
        expect(tab.page.locator("[data-state=live]")).to_be_visible()
    assert set(broken) == {"3"}


def test_nothing_a_customer_types_is_ever_run(quick: Stack, visit: Visiting) -> None:
    product = {"name": WICKED, "unit_price": {"amount": 500, "currency": "EUR"}, "stock": 10}
    quick.as_("alex", "admin").call("PUT", "/products/wicked", product)
    address = {**HOME, "name": WICKED, "line1": WICKED}
    placed = quick.place(product="wicked", shipping_address=address, require_approval=True)
    order_id = placed["order"]["order_id"]
    Api(quick.url).signed_in("ada", ()).call("POST", f"/orders/{order_id}/cancel", {"reason": WICKED})
    with visit(quick) as tab:
        tab.page.goto(quick.link(placed))
        expect(tab.page.get_by_text(WICKED)).to_have_count(3)
    with visit(quick) as tab:
        tab.sign_in("Sam", f"/admin#/order/{order_id}")
        expect(tab.page.get_by_text(WICKED).first).to_be_visible()
        assert tab.page.locator("main img").count() == 0
        tab.page.goto(f"{quick.url}/admin#/")
        expect(tab.page.get_by_text(WICKED).first).to_be_visible()


def test_amounts_have_the_digits_that_iso_4217_gives_their_currency(quick: Stack, visit: Visiting) -> None:
    prices = {"HUF": "HUF 1,234.56", "COP": "COP 1,234.56", "IQD": "IQD 123.456", "BHD": "BHD 123.456", "JPY": "JP¥123,456"}
    admin = quick.as_("alex", "admin")
    with visit(quick) as tab:
        for currency, text in prices.items():
            product = {"name": "Teapot", "unit_price": {"amount": 123456, "currency": currency}, "stock": 10}
            admin.call("PUT", f"/products/in-{currency.lower()}", product)
            placed = quick.place(items=[{"product_id": f"in-{currency.lower()}", "quantity": 1}])
            tab.page.goto(quick.link(placed))
            expect(tab.page.locator(".total strong")).to_have_text(text.replace(" ", "\u00a0"))
