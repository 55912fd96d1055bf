"""Support's desk in a browser."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.pages.browsing import HOME, Stack, Visit, serving, wait_for
from tests.e2e.pages.conftest import Visiting


def state(tab: Visit, name: str) -> Any:
    return tab.page.locator(f'[data-state="{name}"]')


def has(kind: str) -> re.Pattern[str]:
    return re.compile(rf"\b{kind}\b")


def test_a_first_visit_places_a_sample_order_ships_it_from_the_queue_and_watches_it(browser: object, visit: Visiting) -> None:
    waits = ("--payment-seconds", "0", "--delivery-seconds", "1", "--set", "PreparationMode=warehouse")
    with serving(*waits) as fresh, visit(fresh) as tab:
        tab.sign_in("Sam")
        expect(tab.page.get_by_text("No orders yet")).to_be_visible()
        tab.page.get_by_role("button", name="Place a sample order").last.click()
        tab.page.get_by_role("dialog").get_by_role("button", name="Place it").click()
        expect(state(tab, "Wait for warehouse")).to_have_class(has("running"))
        _ship_from_the_queue(tab)
        expect(tab.page.get_by_text("Your parcel has arrived")).to_be_visible()
        expect(state(tab, "Deliver order")).to_have_class(has("succeeded"))


def _ship_from_the_queue(tab: Visit) -> None:
    """The order is listed with what is left of it, and no more once it is handed over."""
    order, views = tab.page.url, tab.page.get_by_role("navigation").first
    views.get_by_role("link", name="To ship").click()
    expect(tab.heading()).to_have_text("To ship")
    listed = tab.page.locator("[data-part=list]")
    expect(listed).to_contain_text(re.compile("[1-9] \N{MULTIPLICATION SIGN} "))
    listed.get_by_role("link").first.click()
    tab.page.locator(".actions").get_by_role("button", name="Mark as shipped").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Mark as shipped").click()
    expect(state(tab, "Wait for warehouse")).to_have_class(has("succeeded"))
    views.get_by_role("link", name="To ship").click()
    expect(listed).to_have_text("Nothing is to be shipped.")
    tab.page.goto(order)


def test_orders_are_counted_by_status_and_found(quick: Stack, visit: Visiting) -> None:
    placed = quick.place("customer-7", order_id="to-be-found", token="tok_declined")["order"]
    wait_for(lambda: quick.order(placed["order_id"])["order"]["status"] == "CANCELLED")
    with visit(quick) as tab:
        tab.sign_in("Sam")
        statuses = tab.page.get_by_role("navigation", name="Orders by status")
        expect(statuses.get_by_role("link", name="Cancelled")).to_contain_text(re.compile(r"[1-9]"))
        statuses.get_by_role("link", name="Cancelled").click()
        expect(tab.page.get_by_role("link", name="to-be-found")).to_be_visible()
        for wanted in ("to-be-found", "customer-7", "be-found"):
            tab.page.get_by_role("searchbox").fill(wanted)
            tab.page.keyboard.press("Enter")
            expect(tab.page.get_by_role("row")).to_have_count(2)
        tab.page.get_by_role("link", name="to-be-found").click()
        expect(tab.heading()).to_have_text("to-be-found")


def test_the_desk_goes_by_keyboard_and_by_days_and_saves_what_it_lists(quick: Stack, visit: Visiting) -> None:
    quick.place(order_id="not-paid", token="tok_declined")
    wait_for(lambda: quick.order("not-paid")["order"]["status"] == "CANCELLED")
    quick.place("=cmd, a customer", order_id="by-keyboard")
    with visit(quick) as tab:
        tab.sign_in("Sam")
        expect(tab.page.get_by_role("link", name="by-keyboard")).to_be_visible()
        tab.page.keyboard.press("/")
        expect(tab.page.get_by_role("searchbox")).to_be_focused()
        tab.page.get_by_role("searchbox").fill("jk")
        expect(tab.page.get_by_role("searchbox")).to_have_value("jk")
        tab.page.get_by_role("searchbox").blur()
        tab.page.keyboard.press("?")
        expect(tab.page.get_by_role("dialog")).to_contain_text("The next entry of the list")
        tab.page.keyboard.press("Escape")
        tab.page.keyboard.press("j")
        expect(tab.page.locator("main table.list tbody th a").first).to_be_focused()
        with tab.page.expect_download() as download:
            tab.page.get_by_role("button", name="Save as CSV").click()
        saved = download.value.path().read_text()
        assert saved.startswith("order_id,customer_id,external_id,status,items,total,created_at,updated_at")
        assert '\nby-keyboard,"\'=cmd, a customer",,' in saved.replace("\r", "")
        _check_sorting(tab)
        tab.page.get_by_label("to", exact=True).fill("2020-02-29")
        tab.page.get_by_label("to", exact=True).blur()
        expect(tab.page).to_have_url(re.compile(r"until=2020-02-29"))
        expect(tab.page.get_by_text("There are no such orders here.")).to_be_visible()
        expect(tab.page.get_by_role("row")).to_have_count(0)
        assert tab.violations() == []


def _check_sorting(tab: Visit) -> None:
    """The order, the payment's status and the page stand in the address, and a reload shows the same."""
    first = tab.page.locator("[data-part=list] tbody th a").first
    tab.page.route("**/orders?*limit=25*", lambda route: route.continue_(url=route.request.url.replace("limit=25", "limit=1")))
    tab.page.get_by_label("Sorted").select_option("oldest first")
    expect(tab.page).to_have_url(re.compile(r"sort=created_at"))
    expect(first).not_to_have_text("by-keyboard")
    expect(tab.page.get_by_role("button", name="Older")).to_be_disabled()
    oldest = first.inner_text()
    tab.page.get_by_role("button", name="Newer").click()
    expect(first).not_to_have_text(oldest)
    expect(tab.page).to_have_url(re.compile(r"cursor=.+"))
    second = first.inner_text()
    tab.page.reload()
    expect(first).to_have_text(second)
    tab.page.get_by_role("button", name="Older").click()
    expect(first).to_have_text(oldest)
    tab.page.unroute("**/orders?*limit=25*")
    late: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if late:
            route.continue_()
        else:
            late.append(route)

    tab.page.route("**/orders?*limit=25*", hold_the_first)
    tab.page.get_by_label("Sorted").select_option("newest first")
    # Any call of the page lets the browser's own events in: the route's is one.
    wait_for(lambda: tab.page.title() and late)
    tab.page.get_by_label("Payment").select_option("Failed")
    expect(tab.page).to_have_url(re.compile(r"#/\?payment=FAILED$"))
    expect(tab.page.get_by_role("link", name="not-paid")).to_be_visible()
    # What the view before had asked for arrives now: it is not drawn below this one.
    with tab.page.expect_response(late[0].request.url):
        late[0].continue_()
    expect(tab.page.locator("[data-part=list]")).to_have_count(1)
    tab.page.unroute("**/orders?*limit=25*")
    expect(tab.page.get_by_role("link", name="by-keyboard")).to_have_count(0)
    expect(tab.page.get_by_role("link", name="not-paid")).to_be_visible()
    tab.page.get_by_label("Payment").select_option("Any")
    expect(first).to_have_text("by-keyboard")


def test_several_orders_are_cancelled_at_once(quick: Stack, visit: Visiting) -> None:
    for order_id in ("of-many-1", "of-many-2"):
        quick.place("many", order_id=order_id, require_approval=True)
    quick.place("many", order_id="of-many-3", token="tok_declined")
    wait_for(lambda: quick.order("of-many-3")["order"]["status"] == "CANCELLED")
    with visit(quick) as tab:
        tab.sign_in("Sam", "/admin#/?q=many")
        rows = tab.page.get_by_role("row")
        expect(rows.filter(has_text="In review")).to_have_count(2)
        for order_id in ("of-many-1", "of-many-2", "of-many-3"):
            tab.page.get_by_label(f"Pick {order_id}").check()
        tab.page.get_by_role("group", name="Picked orders").get_by_role("button", name="Cancel orders").click()
        dialog = tab.page.get_by_role("dialog")
        dialog.get_by_role("button", name="Cancel orders").click()
        expect(dialog.get_by_role("alert")).to_contain_text("1 refused. of-many-3: The order is already CANCELLED")
        dialog.get_by_role("button", name="Not now").click()
        expect(tab.page.get_by_role("group", name="Picked orders")).to_contain_text("1 picked")
        expect(rows.filter(has_text="Cancelled")).to_have_count(3)
        expect(rows.filter(has_text="In review")).to_have_count(0)
        assert tab.violations() == []
    for order_id in ("of-many-1", "of-many-2"):
        assert quick.order(order_id)["order"]["cancellation"]["reason"] == "staff"


def test_what_is_overdue_stands_first(quick: Stack, visit: Visiting) -> None:
    order_id = quick.place(order_id="late", require_approval=True)["order"]["order_id"]
    late = {"orders": [quick.order(order_id)["order"]], "next_cursor": None}
    with visit(quick, width=360) as tab:
        tab.page.route("**/orders?overdue=true*", lambda route: route.fulfill(json=late))
        tab.sign_in("Sam")
        expect(tab.page.get_by_role("heading", name="One order is overdue")).to_be_visible()
        assert tab.violations() == []
        assert tab.fits()
        tab.page.locator(".attention").get_by_role("link", name="late").click()
        expect(tab.page.get_by_role("button", name="Repair")).to_be_visible()


@pytest.mark.parametrize(
    ("status", "message", "words"),
    [
        (401, "Unauthorized", "Your sign-in has ended. Reload the page to sign in again."),
        (429, "Too Many Requests", "There are too many requests. Try again in a moment. What you see may be old."),
        (500, "Internal Server Error", "Something went wrong in the service. Try again in a moment. What you see may be old."),
        (503, "Service Unavailable", "The service did not answer. Try again in a moment. What you see may be old."),
    ],
)
def test_what_the_gateway_refuses_is_said_in_words_for_people(
    quick: Stack, visit: Visiting, status: int, message: str, words: str
) -> None:
    with visit(quick) as tab:
        tab.page.route("**/orders?*", lambda route: route.fulfill(status=status, json={"message": message}))
        tab.sign_in("Sam")
        expect(tab.page.get_by_role("alert").filter(has_text=words)).to_be_visible()


def test_a_review_is_approved_from_the_queue(quick: Stack, visit: Visiting) -> None:
    order_id = quick.place(product="prod-005", order_id="dear")["order"]["order_id"]
    with visit(quick) as tab:
        tab.sign_in("Sam", "/admin#/reviews")
        card = tab.page.get_by_role("listitem").filter(has_text="Standing desk")
        card.get_by_role("button", name="Approve").click()
        dialog = tab.page.get_by_role("dialog")
        dialog.get_by_label("Reason").fill("A good customer")
        dialog.get_by_role("button", name="Approve").click()
        expect(card).to_have_count(0)
    approval = quick.order(order_id)["order"]["approval"]
    assert (approval["status"], approval["decided_by"], approval["reason"]) == ("APPROVED", "sam", "A good customer")


def test_a_return_is_approved_and_received_from_the_queue(quick: Stack, visit: Visiting) -> None:
    order_id = quick.place()["order"]["order_id"]
    wait_for(lambda: quick.order(order_id)["order"]["status"] == "DELIVERED")
    asked = {"items": [{"line_id": "1", "quantity": 1, "reason": "Too small"}]}
    quick.as_("ada").call("POST", f"/orders/{order_id}/returns", asked)
    with visit(quick) as tab:
        tab.sign_in("Sam", "/admin#/returns")
        card = tab.page.locator(".returns > li").filter(has_text=order_id[-6:])
        requested = tab.page.get_by_role("heading", name=re.compile(r"^Requested [1-9]\d*$"))
        expect(requested).to_be_visible()
        card.get_by_role("button", name="Approve the return").click()
        tab.page.get_by_role("dialog").get_by_role("button", name="Approve the return").click()
        card.get_by_role("button", name="Receive the goods").click()
        dialog = tab.page.get_by_role("dialog")
        dialog.get_by_label("can be sold again").fill("0")
        dialog.get_by_label("are damaged").fill("1")
        dialog.get_by_role("button", name="Receive the goods").click()
        expect(card).to_have_count(0)
    found = quick.order(order_id)
    (sent_back,) = found["returns"]
    assert (sent_back["status"], sent_back["items"][0]["received"]) == ("CLOSED", [{"quantity": 1, "condition": "damaged"}])
    assert found["payment"]["amount_refunded"] == found["order"]["items"][0]["unit_price"]


def test_a_shortage_is_answered_from_the_queue_and_the_catalog_says_what_is_left(quick: Stack, visit: Visiting) -> None:
    product = {"name": "Rare vase", "unit_price": {"amount": 1000, "currency": "USD"}, "stock": 1}
    quick.as_("alex", "admin").call("PUT", "/products/a-rare-vase", product)
    order_id = quick.place(product="a-rare-vase", shortage="ask")["order"]["order_id"]
    with visit(quick) as tab:
        tab.sign_in("Sam", "/admin#/shortages")
        card = tab.page.locator(".shortages > li").filter(has_text=order_id[-6:])
        expect(card).to_contain_text("Rare vase missing")
        expect(tab.page.get_by_role("heading", name="Shortages 1")).to_be_visible()
        card.get_by_role("button", name="Send what is there").click()
        tab.page.get_by_role("dialog").get_by_role("button", name="Send what is there").click()
        expect(card).to_have_count(0)
        wait_for(lambda: quick.order(order_id)["order"]["status"] == "DELIVERED")
        tab.page.goto(f"{quick.url}/admin#/products")
        row = tab.page.get_by_role("row").filter(has_text="a-rare-vase")
        expect(row.get_by_role("cell")).to_have_text(["US$10.00", "0", "0", "0", "1"])


def test_money_is_given_back_in_part_and_its_customer_sees_it(quick: Stack, visit: Visiting) -> None:
    quick.place(order_id="scratched", token="tok_refund_declined_1", contact={"email": "ada@example.com"})
    wait_for(lambda: quick.order("scratched")["order"]["status"] == "DELIVERED")
    with visit(quick) as tab:
        tab.sign_in("Sam", "/admin#/order/scratched")
        tab.page.get_by_role("button", name="Refund", exact=True).click()
        dialog = tab.page.get_by_role("dialog")
        dialog.get_by_label("Amount in USD").fill("25.00")
        dialog.get_by_label(re.compile("Reason")).fill("Arrived scratched")
        dialog.get_by_role("button", name="Refund").click()
        expect(dialog.get_by_role("alert")).to_contain_text("20.00 USD can be refunded, not 25.00 USD")
        dialog.get_by_label("Amount in USD").fill("5.50")
        dialog.get_by_role("button", name="Refund").click()
        refund = tab.page.locator(".refund")
        expect(refund).to_contain_text("Could not be refunded yet")
        expect(refund).to_contain_text("The customer's account is closed")
        tab.page.get_by_role("button", name="Try the refund again").click()
        tab.page.get_by_role("dialog").get_by_role("button", name="Try the refund again").click()
        expect(refund).to_contain_text("US$5.50 Refunded")
        moved = tab.page.get_by_role("list", name="What happened to the money").get_by_role("listitem")
        words = [
            "Payment started US$20.00",
            "Payment completed",
            "Refund started",
            "Refund failed",
            "Refund retried",
            "Payment refunded",
        ]
        expect(moved).to_contain_text(words)
        expect(moved.last).to_contain_text("US$5.50")
        read = quick.as_("sam", "support")
        wait_for(lambda: "Money back" in str(read.call("GET", "/orders/scratched/mails")))
        tab.page.reload()
        kept = tab.page.locator("details").filter(has_text="Money back for your order scratched (sent)")
        kept.locator("summary").click()
        expect(kept).to_contain_text("5.50 USD has been given back to you")
        tab.page.goto(quick.link(quick.order("scratched")))
        expect(tab.page.locator(".refund")).to_contain_text("US$5.50 Refunded")


CONSOLE_LINKS = """async (arns) => {
  const module = document.querySelector("script[src]").src.replace("desk.js", "desk-execution-history.js");
  const { consoleLink } = await import(module);
  return arns.map(consoleLink);
}"""
"""Where AWS's console shows an execution."""


def test_the_viewer_shows_what_succeeded_and_how_often_it_was_tried(quick: Stack, visit: Visiting) -> None:
    quick.place(order_id="flaky", token="tok_flaky_1")
    with visit(quick) as tab:
        tab.sign_in("Sam", "/admin#/order/flaky")
        expect(state(tab, "Deliver order")).to_have_class(has("succeeded"))
        expect(state(tab, "Wait for approval")).to_have_class(has("untouched"))
        state(tab, "Charge payment").click()
        chosen = tab.page.locator(".chosen")
        expect(chosen).to_contain_text("GatewayUnavailable")
        expect(chosen.locator(".trials li")).to_have_count(2)
        expect(chosen.get_by_text('"order_id": "flaky"').first).to_be_visible()
        expect(chosen.locator("mark", has_text='"payment_id"')).to_have_count(1)
        expect(chosen.locator("mark", has_text='"order_id": "flaky"')).to_have_count(0)
        expect(tab.page.locator(".times li", has_text="Deliver order")).to_contain_text("Succeeded")
        expect(tab.page.get_by_role("button", name="Copy the ARN")).to_be_visible()
        here, there = (
            f"arn:aws:states:eu-west-1:{account}:execution:fulfil-order:flaky" for account in ("0" * 12, "123456789012")
        )
        console = "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/"
        assert tab.page.evaluate(CONSOLE_LINKS, [here, there]) == [None, f"{console}{there}"]
        events = tab.page.get_by_role("list", name="Events")
        expect(events).to_contain_text("ExecutionSucceeded")
        tab.page.get_by_label("Show").select_option("Failures only")
        expect(events.get_by_role("listitem")).to_have_text([re.compile("TaskFailed"), re.compile("TaskTimedOut")])


def test_the_viewer_shows_which_way_a_choice_took_and_why_an_order_was_not_fulfilled(quick: Stack, visit: Visiting) -> None:
    quick.place(order_id="declined", token="tok_declined")
    with visit(quick) as tab:
        tab.sign_in("Sam", "/admin#/order/declined")
        expect(tab.page.get_by_text("This order was cancelled")).to_be_visible()
        expect(state(tab, "Release stock")).to_have_class(has("succeeded"))
        expect(state(tab, "Recall shipment")).to_have_class(has("untouched"))
        tab.page.get_by_role("button", name="Fulfillment").click()
        for passed in ("Reserve stock", "What next?", "Charge payment", "Paid yet?", "Unwind order"):
            expect(state(tab, passed)).to_have_class(has("succeeded"))
        expect(state(tab, "Not fulfilled")).to_have_class(has("failed"))
        expect(state(tab, "Ship parcel and await delivery")).to_have_class(has("untouched"))
        expect(tab.page.locator(".arrow.taken", has_text="payment outcome: declined")).to_have_count(1)
        expect(tab.page.get_by_role("list", name="Events")).to_contain_text("payment_failed")
        state(tab, "Charge payment").click()
        expect(tab.page.locator(".chosen")).to_contain_text('"outcome": "declined"')


def test_the_viewer_shows_a_caught_failure_and_what_was_undone(quick: Stack, visit: Visiting) -> None:
    quick.place(order_id="refused", shipping_address=HOME | {"postal_code": "N1-refused"})
    with visit(quick) as tab:
        tab.sign_in("Sam", "/admin#/order/refused")
        expect(tab.page.get_by_text("This order was cancelled")).to_be_visible()
        expect(state(tab, "Refund payment")).to_have_class(has("succeeded"))
        tab.page.get_by_role("button", name="Fulfillment").click()
        expect(state(tab, "Ship parcel and await delivery")).to_have_class(has("caught"))
        expect(state(tab, "Not fulfilled")).to_have_class(has("failed"))


def test_the_viewer_shows_where_an_execution_waits_and_where_it_was_aborted(patient: Stack, visit: Visiting) -> None:
    patient.place(order_id="stopped")
    with visit(patient) as tab:
        tab.sign_in("Sam", "/admin#/order/stopped")
        expect(state(tab, "Wait for preparation")).to_have_class(has("running"))
        tab.page.get_by_role("button", name="Cancel order", exact=True).click()
        tab.page.get_by_role("dialog").get_by_role("button", name="Cancel order", exact=True).click()
        expect(tab.page.get_by_text("This order was cancelled")).to_be_visible()
        expect(state(tab, "Refund payment")).to_have_class(has("succeeded"))
        tab.page.get_by_role("button", name="Fulfillment").click()
        expect(state(tab, "Wait for preparation")).to_have_class(has("aborted"))


def _change_details(tab: Visit) -> None:
    """The address, the note and the customer's page, each from the order's own place."""
    actions, dialog = tab.page.locator(".actions"), tab.page.get_by_role("dialog")
    actions.get_by_role("button", name="Change address").click()
    dialog.get_by_label("Street and number").fill("221B Baker Street")
    dialog.get_by_role("button", name="Change address").click()
    expect(tab.page.get_by_text("221B Baker Street, SW1Y 4JH London", exact=False).first).to_be_visible()
    actions.get_by_role("button", name="Note").click()
    dialog.get_by_label("Note").fill("Called twice, wants a gift box")
    dialog.get_by_role("button", name="Save the note").click()
    expect(tab.page.get_by_text("Called twice, wants a gift box").first).to_be_visible()
    link = tab.page.get_by_role("link", name="Open", exact=True)
    expect(link).to_have_attribute("href", re.compile(r"^/track/packed\?token="))
    expect(tab.page.get_by_role("button", name="Copy link")).to_be_visible()


def test_only_what_the_table_allows_is_offered(patient: Stack, visit: Visiting) -> None:
    patient.place(order_id="packed")
    wait_for(lambda: patient.order("packed")["order"]["status"] == "PROCESSING")
    with visit(patient) as tab:
        tab.sign_in("Sam", "/admin#/order/packed")
        actions = tab.page.locator(".actions")
        expect(actions.get_by_role("button")).to_have_text(
            [
                *("Hold", "Cancel order", "Mark as shipped", "Repair"),
                *("Ship items", "Cancel items", "Refund", "Change address", "Note"),
            ]
        )
        _change_details(tab)
        _hold_and_release(tab)
        _ship_one(tab)
        actions.get_by_role("button", name="Mark as shipped").click()
        tab.page.get_by_role("dialog").get_by_role("button", name="Mark as shipped").click()
        expect(actions.get_by_role("button", name="Mark as delivered")).to_be_visible()
        actions.get_by_role("button", name="Set location").click()
        dialog = tab.page.get_by_role("dialog")
        dialog.get_by_label("Place").fill("Sorting center Utrecht")
        dialog.get_by_role("button", name="Set location").click()
        expect(tab.page.get_by_text("Sorting center Utrecht").first).to_be_visible()
        parcels = tab.page.locator(".parcels > li")
        expect(parcels).to_have_count(2)
        expect(parcels.first.get_by_role("link", name="1Z 999")).to_be_visible()
        parcels.first.get_by_role("button", name="It was delivered").click()
        tab.page.get_by_role("dialog").get_by_role("button", name="It was delivered").click()
        expect(parcels.first.get_by_role("button")).to_have_count(0)
        expect(parcels.last.get_by_role("button")).to_have_text(["Set its location", "It was delivered", "It is back"])


def _hold_and_release(tab: Visit) -> None:
    """Each is offered where the other is not."""
    actions, dialog = tab.page.locator(".actions"), tab.page.get_by_role("dialog")
    hold, release = (actions.get_by_role("button", name=name, exact=True) for name in ("Hold", "Release"))
    expect(release).to_have_count(0)
    hold.click()
    dialog.get_by_label("Reason").fill("The customer calls back")
    dialog.get_by_role("button", name="Hold").click()
    expect(tab.page.locator("[data-part=facts]")).to_contain_text("by sam: The customer calls back")
    expect(hold).to_have_count(0)
    release.click()
    dialog.get_by_role("button", name="Release").click()
    expect(hold).to_be_visible()
    expect(tab.page.locator("[data-part=facts]")).not_to_contain_text("On hold")


def _ship_one(tab: Visit) -> None:
    """One of two pieces leaves in a parcel of its own, of which the carrier has a page."""
    tab.page.locator(".actions").get_by_role("button", name="Ship items").click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_label("how many of 2").fill("1")
    dialog.get_by_label("Carrier, if").fill("UPS")
    dialog.get_by_label("Tracking number").fill("1Z 999")
    dialog.get_by_role("button", name="Ship items").click()
    expect(dialog).to_have_count(0)
    link = tab.page.locator("[data-part=facts]").get_by_role("link", name="1Z 999")
    expect(link).to_have_attribute("href", "https://www.ups.com/track?tracknum=1Z%20999")


def test_an_admin_keeps_webhooks_and_sends_what_failed_again(quick: Stack, visit: Visiting) -> None:
    with visit(quick) as tab:
        tab.sign_in("Alex", "/admin#/webhooks")
        tab.page.get_by_role("button", name="Add a webhook").click()
        dialog = tab.page.get_by_role("dialog")
        dialog.get_by_label("Address").fill("http://127.0.0.1:9/closed")
        dialog.get_by_role("button", name="Add it").click()
        expect(tab.page.get_by_text("whsec_")).to_be_visible()
        quick.place(order_id="told")
        expect(tab.page.get_by_text("not delivered")).to_be_visible()
        tab.page.get_by_role("link", name="told").first.click()
        expect(tab.page.get_by_role("heading", name="Webhooks sent")).to_be_visible()
        expect(tab.page.locator(".deliveries li").first).to_be_visible()
        tab.page.get_by_role("link", name="Webhooks").click()
        tab.page.get_by_role("button", name="Remove").click()
        tab.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(tab.page.get_by_text("There are no webhooks yet.")).to_be_visible()


def test_the_desk_is_for_support(quick: Stack, visit: Visiting) -> None:
    with visit(quick) as tab:
        tab.sign_in("Ada")
        expect(tab.heading()).to_have_text("This desk is for staff")


@pytest.mark.parametrize("who", ["Sam", "Alex"])
def test_a_view_is_offered_to_whom_it_opens_for(quick: Stack, visit: Visiting, who: str) -> None:
    with visit(quick) as tab:
        tab.sign_in(who)
        expect(tab.page.get_by_role("link", name="Analytics")).to_be_visible()
        expect(tab.page.get_by_role("link", name="Webhooks")).to_have_count(1 if who == "Alex" else 0)


# What a browser would take for an address of another site, in a path's clothes; "/.//" is a path until it is written alone.
ELSEWHERE = [
    "//evil.test",
    "///evil.test",
    "/\\evil.test",
    "\\\\evil.test",
    "/\t/evil.test",
    "/\n\\evil.test",
    "\t//evil.test",
    "/.//evil.test",
    "/..//evil.test",
    "/%2e//evil.test",
    "https:evil.test",
    "https://evil.test",
    "//evil.test\\@{host}/",
    "javascript:alert(1)",
    "data:text/html,x",
    " /admin",
    "",
    None,
    7,
    {"startsWith": 1},
]


def test_a_sign_in_comes_back_to_this_site_whatever_was_kept(quick: Stack, visit: Visiting) -> None:
    # A visit ends in a failure when anything is asked of another host or a dialog opens.
    with visit(quick) as tab:
        tab.page.goto(f"{quick.url}/admin")
        for kept in ELSEWHERE:
            tab.page.evaluate("back => sessionStorage.setItem('sign-in', JSON.stringify({ back }))", kept)
            tab.page.goto(f"{quick.url}/signed-in")
            tab.page.wait_for_url(lambda url: urlsplit(url).path != "/signed-in")
            assert tab.page.url.startswith(f"{quick.url}/"), kept
        kept = "/admin?a=b#/reviews"
        tab.page.evaluate("back => sessionStorage.setItem('sign-in', JSON.stringify({ back }))", kept)
        tab.page.goto(f"{quick.url}/signed-in")
        tab.page.wait_for_url(f"{quick.url}{kept}")
