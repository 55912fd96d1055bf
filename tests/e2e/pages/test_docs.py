"""The reference of the API in a browser: everybody can read it, and requests can be sent from it."""

from playwright.sync_api import expect

from tests.e2e.pages.browsing import Stack
from tests.e2e.pages.conftest import Visiting
from tests.e2e.pages.test_accessibility import look


def test_an_order_is_placed_from_the_reference(patient: Stack, visit: Visiting) -> None:
    with visit(patient) as tab:
        tab.page.goto(f"{patient.url}/")
        tab.page.get_by_role("link", name="The API").click()
        expect(tab.page.get_by_role("heading", level=1)).to_be_visible()
        tab.page.get_by_role("link", name="POST /orders", exact=True).first.click()
        placing = tab.page.locator("#placeOrder")
        placing.get_by_text("Try it here").click()
        # One of each kind is enough to look at: axe-core takes a second for every few operations.
        others = ".operation:not(#placeOrder), #schemas > section ~ section"
        tab.page.evaluate("others => document.querySelectorAll(others).forEach((one) => one.remove())", others)
        look(tab, "the reference")
        send = placing.get_by_role("button", name="Send")
        send.click()
        expect(placing.locator("[aria-live]")).to_contain_text("401")
        placing.get_by_role("textbox", name="token").fill(patient.as_("ada").token or "")
        send.click()
        expect(placing.locator("[aria-live]")).to_contain_text("202")
        expect(placing.locator("[aria-live]")).to_contain_text("location: /orders/")
