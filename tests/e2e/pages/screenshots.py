"""The pictures of the documentation, taken of a real stack by a real browser: `make screenshots`."""

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.pages.browsing import NO_BROWSER, ROOT, Stack, Visit, chromium, launch, serving, visiting, wait_for

FOLDER = ROOT / "docs" / "screenshots"
WAITS = ("--payment-seconds", "1", "--preparation-seconds", "8", "--delivery-seconds", "5400")
FIRST = {
    "teapot-7301": {},
    "teapot-7302": {"product": "prod-004"},
    "teapot-7303": {"token": "tok_flaky_2"},
    "teapot-7304": {"method": "CASH_ON_DELIVERY"},
    "teapot-7305": {"product": "prod-003"},
    "teapot-7306": {"token": "tok_declined"},
}
LATER = {"teapot-7307": {"product": "prod-005"}, "teapot-7308": {"product": "prod-004"}, "teapot-7309": {}}


def tell_a_story(stack: Stack) -> None:
    """Orders of every kind: delivered, returned, on the way, declined, in review, being packed."""
    support = stack.as_("sam", "support")
    for order_id, wish in FIRST.items():
        stack.place(f"customer-{order_id[-1]}", order_id=order_id, **wish)
    shipped = [order_id for order_id in FIRST if order_id != "teapot-7306"]
    for order_id in shipped:
        wait_for(lambda order_id=order_id: stack.order(order_id)["order"]["status"] == "SHIPPED", 60)
    for place, words in (("Rotterdam", "Accepted by the carrier"), ("Sorting center Utrecht", "Sorted")):
        stack.scan("teapot-7305", status="IN_TRANSIT", location=place, message=words)
    for order_id in ("teapot-7301", "teapot-7302", "teapot-7304"):
        support.call("POST", f"/orders/{order_id}/delivered", {})
    support.call("POST", "/orders/teapot-7302/return", {"reason": "The wrong layout"})
    for order_id, wish in LATER.items():
        stack.place(f"customer-{order_id[-1]}", order_id=order_id, **wish)
    wait_for(lambda: stack.order("teapot-7309")["order"]["status"] == "PROCESSING", 60)


def track(tab: Visit, order_id: str, name: str, language: str = "en") -> None:
    placed = tab.stack.order(order_id)
    tab.page.goto(f"{tab.stack.link(placed)}&lang={language}")
    expect(tab.page.locator("[data-state=live], [data-state=over]")).to_be_visible()
    tab.page.screenshot(path=FOLDER / f"{name}.png", full_page=True)


def desk(tab: Visit) -> None:
    tab.sign_in("Alex")
    expect(tab.page.get_by_role("row")).to_have_count(len(FIRST) + len(LATER) + 1)
    wait_for(lambda: "9" in tab.page.locator(".statuses a").first.inner_text())
    tab.page.screenshot(path=FOLDER / "desk.png")
    tab.page.goto(f"{tab.stack.url}/admin#/order/teapot-7303")
    tab.page.locator('[data-state="Charge payment"]').click()
    expect(tab.page.locator(".chosen .trials li")).to_have_count(3)
    tab.page.evaluate("scrollTo(0, 0)")
    viewer, graph = (tab.page.locator(part).bounding_box() for part in (".viewer", ".picture"))
    assert viewer
    assert graph
    tab.page.screenshot(path=FOLDER / "workflow.png", full_page=True, clip={**viewer, "height": graph["height"]})


def figures(tab: Visit) -> None:
    tab.sign_in("Sam", "/admin#/analytics")
    expect(tab.page.locator(".chart")).to_have_count(5)
    tab.page.screenshot(path=FOLDER / "figures-dark.png", full_page=True)


def take(browser: Browser, stack: Stack) -> None:
    with visiting(browser, stack, width=1000) as tab:
        track(tab, "teapot-7305", "tracking")
    with visiting(browser, stack, width=390, scheme="dark") as tab:
        track(tab, "teapot-7305", "tracking-phone-dark")
    with visiting(browser, stack, width=390) as tab:
        track(tab, "teapot-7306", "tracking-declined")
        track(tab, "teapot-7305", "tracking-phone-arabic", "ar")
    with visiting(browser, stack, width=1280) as tab:
        desk(tab)
    with visiting(browser, stack, width=1000, scheme="dark") as tab:
        figures(tab)


def shrink(picture: Path) -> None:
    """To a palette, a third of the size, where there is a pngquant."""
    if tool := shutil.which("pngquant"):
        subprocess.run([tool, "--force", "--ext", ".png", "--skip-if-larger", str(picture)], check=True)


def main() -> None:
    path = chromium()
    if path is None:
        sys.exit(NO_BROWSER)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with serving(*WAITS) as stack, sync_playwright() as playwright:
        tell_a_story(stack)
        take(launch(playwright, path), stack)
    for picture in sorted(FOLDER.glob("*.png")):
        shrink(picture)
        sys.stdout.write(f"{picture.relative_to(ROOT)}  {picture.stat().st_size // 1024} kB\n")


if __name__ == "__main__":
    main()
