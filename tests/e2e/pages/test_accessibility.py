"""What holds for every page: readable to all, at every width, in light and dark, by keyboard, light in weight."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.pages.browsing import ColorScheme, Stack, Visit, wait_for
from tests.e2e.pages.conftest import Visiting
from tests.unit.test_catalogs import CATEGORIES

KB = 1024
TRACK_BYTES, DESK_BYTES = 150 * KB, 400 * KB

Placed = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def orders(patient: Stack) -> Placed:
    """One order of each kind that looks different."""
    placed = {
        "packed": patient.place(),
        "reviewed": patient.place(require_approval=True),
        "declined": patient.place(token="tok_declined"),
        "cash": patient.place(method="CASH_ON_DELIVERY"),
    }
    wait_for(lambda: patient.order(placed["declined"]["order"]["order_id"])["order"]["status"] == "CANCELLED")
    wait_for(lambda: patient.order(placed["packed"]["order"]["order_id"])["order"]["status"] == "PROCESSING")
    patient.dispute(placed["packed"]["order"]["order_id"])
    return placed


WIDTHS = (360, 1440)
RULES: dict[ColorScheme, tuple[str, ...]] = {"light": (), "dark": ("color-contrast", "link-in-text-block")}
"""All of axe-core's rules, and those that look at colors: nothing else is another in the dark."""


def look(tab: Visit, what: str) -> None:
    """What axe-core says of it, and whether it fits, at each width in each color scheme: only the style sheets know of both."""
    for width in WIDTHS:
        tab.page.set_viewport_size({"width": width, "height": 900})
        for scheme, rules in RULES.items():
            tab.page.emulate_media(color_scheme=scheme)
            assert tab.violations(*rules) == [], f"{what}, {width} wide, {scheme}"
            assert tab.fits(), f"{what} is wider than a window of {width}"


def test_the_tracking_page_is_for_everybody(patient: Stack, orders: Placed, visit: Visiting) -> None:
    with visit(patient) as tab:
        for what, placed in orders.items():
            tab.page.goto(patient.link(placed))
            expect(tab.page.locator("[data-state=live], [data-state=over]")).to_be_visible()
            look(tab, what)
        in_arabic(tab, patient.link(orders["declined"]))
        order_id = orders["packed"]["order"]["order_id"]
        for path, what in ((f"/track/{order_id}", "without a token"), (f"/track/{order_id}?token=x", "with a bad token")):
            tab.page.goto(f"{patient.url}{path}")
            expect(tab.heading()).not_to_have_text("Your order")
            look(tab, what)
        tab.sign_in("Ada", f"/track/{order_id}")
        tab.page.get_by_role("button", name="Change the address").click()
        look(tab, "the dialog")


CARRIER_LINKS = """async (urls) => {
  const folder = document.querySelector("script[src]").src.replace("track.js", "");
  const { drawDelivery } = await import(`${folder}track-view.js`);
  const drawn = (url) => {
    const shipment = { carrier: "UPS", tracking_number: "1Z", tracking_url: url, scans: [] };
    return drawDelivery({ shipment, parcelNow: "", every: [], address: null, ended: false });
  };
  return urls.map((url) => drawn(url).querySelector("a")?.href ?? null);
}"""
"""Where the link to a carrier's own page leads, for each address that a parcel may have."""


def in_arabic(tab: Visit, link: str) -> None:
    """The page from right to left, on a phone: what it says, its digits, and the forms of its plurals."""
    tab.page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    tab.page.goto(f"{link}&lang=ar")
    expect(tab.heading()).to_have_text("أُلغي هذا الطلب")
    expect(tab.page.get_by_text("رُفضت البطاقة.")).to_be_visible()
    assert tab.page.evaluate("getComputedStyle(document.body).direction") == "rtl"
    assert tab.violations() == []
    assert tab.fits()
    links = tab.page.evaluate(
        CARRIER_LINKS, ["https://carrier.example/1Z", "http://carrier.example", "javascript:alert(1)", None]
    )
    assert links == ["https://carrier.example/1Z", None, None, None]
    forms = "(tag) => new Intl.PluralRules(tag).resolvedOptions().pluralCategories"
    assert {tag: set(tab.page.evaluate(forms, tag)) for tag in CATEGORIES} == CATEGORIES
    tab.page.get_by_role("link", name="Deutsch").click()
    expect(tab.heading()).to_have_text("Diese Bestellung wurde storniert")


def test_the_desk_is_for_everybody(patient: Stack, orders: Placed, visit: Visiting) -> None:
    declined = orders["declined"]["order"]["order_id"]
    with visit(patient) as tab:
        tab.page.goto(f"{patient.url}/admin")
        look(tab, "the sign-in's offer")
        tab.page.get_by_role("button", name="Sign in").click()
        expect(tab.heading()).to_have_text("Who are you today?")
        look(tab, "the local sign-in")
        tab.page.get_by_role("link", name="Alex").click()
        expect(tab.page.get_by_role("table").first).to_be_visible()
        look(tab, "orders")
        on_a_phone(tab)
        tab.page.route("**/analytics/summary?*", _earlier)
        # Each sign is its own view's only: the view before it stands until the next has been loaded.
        for view, sign in (
            ("reviews", "button:text('Approve')"),
            ("returns", "h2:text('Requested')"),
            ("disputes", ".disputes .card"),
            ("products", ".products tbody tr"),
            ("analytics", ".chart"),
            ("webhooks", "[data-part=list] .card"),
        ):
            tab.page.goto(f"{patient.url}/admin#/{view}")
            expect(tab.page.locator(sign).first).to_be_visible()
            look(tab, view)
            if view == "analytics":
                _check_analytics(tab)
        tab.page.goto(f"{patient.url}/admin#/order/{declined}")
        tab.page.get_by_role("button", name="Fulfillment").click()
        tab.page.locator('[data-state="Charge payment"]').click()
        expect(tab.page.locator(".chosen")).to_contain_text("declined")
        look(tab, "an order")
        _check_stacked(tab)


def _earlier(route: Route) -> None:
    """The figures of the days before these, as if ten orders had been placed on them, and half of the orders cancelled."""
    figures = route.fetch().json()
    if figures["to"] < datetime.now(UTC).date().isoformat():
        figures |= {"orders_placed": 10, "cancel_rate": 0.5, "payment_failures": 2}
    route.fulfill(json=figures)


def _check_analytics(tab: Visit) -> None:
    """Of a period against the one before: how many, why orders were cancelled; the mean and the 95th percentile by name."""
    main = tab.page.get_by_role("main")
    period = tab.page.get_by_role("navigation", name="Period")
    expect(period.get_by_role("link", name="Last 14 days")).to_have_attribute("aria-current", "true")
    tile = tab.page.locator(".tile")
    expect(tile.filter(has_text="Orders placed")).to_contain_text(re.compile(r"% on 10 in the 14 days before"))
    expect(tile.filter(has_text="Cancelled")).to_contain_text("50% in the 14 days before")
    expect(main.get_by_role("heading", name="Why orders were cancelled in the last 14 days")).to_be_visible()
    expect(main.get_by_role("row", name=re.compile(r"^Payment failed 1"))).to_be_visible()
    expect(main.get_by_role("heading", name="How long it took in the last 14 days: mean and 95th percentile")).to_be_visible()
    expect(main.get_by_role("row", name=re.compile(r"^As pending mean .+, 95th percentile "))).to_be_visible()
    period.get_by_role("link", name="Last 7 days").click()
    expect(tile.filter(has_text="Orders placed")).to_contain_text("on 10 in the 7 days before")
    expect(tab.page).to_have_url(re.compile(r"#/analytics\?days=7$"))


def _check_stacked(tab: Visit) -> None:
    """In a narrow window each label stands above what it names, and neither is wider than the window."""
    tab.page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    names, values = tab.page.locator("[data-part=facts] dt"), tab.page.locator("[data-part=facts] dd")
    pairs = list(zip(names.all(), values.all(), strict=True))
    assert len(pairs) > 10
    for name, value in pairs:
        above, below = name.bounding_box(), value.bounding_box()
        assert above
        assert below
        assert above["x"] == below["x"]
        assert above["y"] + above["height"] <= below["y"]


def on_a_phone(tab: Visit) -> None:
    """The first order is seen without scrolling, and the tabs of the statuses scroll sideways in one line."""
    tab.page.set_viewport_size({"width": WIDTHS[0], "height": 780})
    first = tab.page.locator("table.list tbody th").first.bounding_box()
    assert first
    assert first["y"] + first["height"] < 780
    assert tab.page.locator(".statuses").evaluate("(tabs) => tabs.scrollWidth > tabs.clientWidth && tabs.clientHeight < 60")


def test_the_keyboard_alone_cancels_an_order(patient: Stack, visit: Visiting) -> None:
    order_id = patient.place()["order"]["order_id"]
    with visit(patient) as tab:
        tab.page.goto(f"{patient.url}/track/{order_id}")
        for name in ("Sign in", "Ada", "Cancel the order"):
            expect(tab.page.get_by_text(name).first).to_be_visible()
            tab.tab_to(name)
            tab.page.keyboard.press("Enter")
        expect(tab.page.get_by_role("dialog")).to_be_visible()
        tab.tab_to("Cancel the order")
        tab.page.keyboard.press("Enter")
        expect(tab.heading()).to_have_text("This order was cancelled")


def test_the_keyboard_alone_works_the_desk(patient: Stack, visit: Visiting) -> None:
    patient.place(order_id="by-keyboard")
    with visit(patient) as tab:
        tab.sign_in("Sam", "/admin")
        expect(tab.page.get_by_role("link", name="by-keyboard")).to_be_visible()
        tab.tab_to("by-keyboard")
        tab.page.keyboard.press("Enter")
        expect(tab.page.locator('[data-state="Charge payment"].succeeded')).to_be_visible()
        tab.tab_to("Charge payment: Succeeded")
        tab.page.keyboard.press("Enter")
        expect(tab.page.locator(".chosen h3")).to_have_text("Charge payment")
        tab.page.keyboard.press("Escape")
        tab.tab_to("Mark as shipped")
        tab.page.keyboard.press("Enter")
        expect(tab.page.get_by_role("dialog")).to_be_visible()
        tab.page.keyboard.press("Escape")
        expect(tab.page.get_by_role("dialog")).to_have_count(0)


def weight(tab: Visit) -> int:
    """The bytes of everything this page has fetched since it was opened, unpacked."""
    kinds = "['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind))"
    return int(tab.page.evaluate(f"{kinds}.reduce((sum, entry) => sum + entry.decodedBodySize, 0)"))


def test_the_tracking_page_is_light(patient: Stack, orders: Placed, visit: Visiting) -> None:
    with visit(patient) as tab:
        tab.page.goto(patient.link(orders["packed"]))
        expect(tab.page.locator("[data-state=live]")).to_be_visible()
        assert 0 < weight(tab) < TRACK_BYTES


def test_the_desk_is_light_with_everything_open(patient: Stack, orders: Placed, visit: Visiting) -> None:
    with visit(patient) as tab:
        tab.sign_in("Alex")
        for view, sign in (
            ("", "table"),
            ("reviews", ".reviews .card"),
            ("returns", "h2:text('Requested')"),
            ("disputes", ".disputes .card"),
            ("products", ".products tbody tr"),
            ("analytics", ".chart"),
            ("webhooks", "[data-part=list] .card"),
        ):
            tab.page.goto(f"{patient.url}/admin#/{view}")
            expect(tab.page.locator(sign).first).to_be_visible()
        tab.page.goto(f"{patient.url}/admin#/order/{orders['declined']['order']['order_id']}")
        expect(tab.page.locator(".machine")).to_be_visible()
        loaded = tab.page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
        assert any("dagre" in name for name in loaded)
        assert 0 < weight(tab) < DESK_BYTES
