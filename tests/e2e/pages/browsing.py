"""A stack, a browser and what a person does with both."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page, Playwright, expect

from local.cli.carriers import SIGNERS, secret_of
from local.cli.client import Api
from local.cli.place import Place

ROOT = Path(__file__).parents[3]
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""The first is the same browser without a window's menus and buttons: a tab costs a seventh of the time."""
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NO_BROWSER = "there is no Chromium here (on Debian: apt install chromium-headless-shell), so no page was looked at"
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
HOME = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "city": "London",
    "postal_code": "SW1Y 4JH",
    "country": "United Kingdom",
}
ColorScheme = Literal["light", "dark"]
KEEP = "([origin, session]) => { if (location.origin === origin) sessionStorage.setItem('session', session); }"
READY = re.compile(r"Orders is up at (\S+)")

PATIENCE = 90.0
"""Seconds until what a page should show, or a stack should come to, is given up: a machine may have other work."""
expect.set_options(timeout=PATIENCE * 1000)


def chromium() -> str | None:
    """The browser of this machine; CHROMIUM names another one."""
    return os.environ.get("CHROMIUM") or next((found for name in NAMES if (found := shutil.which(name))), None)


def launch(playwright: Playwright, path: str) -> Browser:
    return playwright.chromium.launch(executable_path=path, args=list(FLAGS))


@dataclass(frozen=True)
class Stack:
    """A running stack and its API, as the people of the local sign-in."""

    url: str
    sessions: dict[str, str] = field(default_factory=dict, compare=False)
    """What the pages keep of whom they have signed in, by the name on the sign-in's list."""

    def as_(self, subject: str, *groups: str) -> Api:
        return Api(self.url).signed_in(subject, groups)

    def place(self, subject: str = "ada", **wish: Any) -> dict[str, Any]:
        """Places an order; `token`, `method` and `product` say what is special about it."""
        token, method = wish.pop("token", "tok_ok"), wish.pop("method", "CREDIT_CARD")
        body = {
            "items": [{"product_id": wish.pop("product", "prod-001"), "quantity": 2}],
            "payment": {"method": method, **({"token": token} if method != "CASH_ON_DELIVERY" else {})},
            "shipping_address": HOME,
            **wish,
        }
        placed: dict[str, Any] = self.as_(subject).call("POST", "/orders", body)
        return placed

    def link(self, placed: dict[str, Any]) -> str:
        return f"{self.url}{placed['tracking_url']}"

    def order(self, order_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.as_("sam", "support").call("GET", f"/orders/{order_id}")
        return found

    def scan(self, order_id: str, **scan: str) -> str:
        """Has the parcel's carrier report a scan; the time it says it was made at."""
        number = self.order(order_id)["shipment"]["tracking_number"]
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event_id = str(uuid.uuid4())
        body = json.dumps({"event_id": event_id, "tracking_number": number, "scanned_at": at, **scan}).encode()
        api = Api(self.url)
        api.send("POST", "/carriers/generic/events", body, SIGNERS["generic"](body, secret_of(api, "generic"), event_id))
        wait_for(lambda: at in [seen["at"] for seen in self.order(order_id)["shipment"]["scans"]])
        return at

    def dispute(self, order_id: str) -> None:
        """Has the payment provider report that the customer's bank asks for the money back."""
        event_id = str(uuid.uuid4())
        dispute = {"dispute_id": "d-1", "status": "OPEN", "amount": {"amount": 500, "currency": "USD"}, "reason": "fraudulent"}
        event = {"event_type": "payment.disputed", "event_id": event_id, "order_id": order_id, "dispute": dispute}
        place, body = Place(None, self.url), json.dumps(event).encode()
        kept = place.client("secretsmanager").get_secret_value(SecretId=place.resources["GenericPaymentSecret"])
        headers = SIGNERS["generic"](body, str(kept["SecretString"]), event_id)
        Api(self.url).send("POST", "/payments/generic/events", body, headers)
        wait_for(lambda: self.order(order_id)["payment"]["dispute"] is not None)

    def shipped(self) -> str:
        """The id of an order whose parcel is on its way."""
        order_id: str = self.place()["order"]["order_id"]
        wait_for(lambda: self.order(order_id)["order"]["status"] == "PROCESSING")
        self.as_("sam", "support").call("PATCH", f"/orders/{order_id}/status", {"status": "SHIPPED"})
        return order_id


@contextmanager
def serving(*options: str) -> Iterator[Stack]:
    """The command people type, in a process of its own."""
    command = [str(Path(sys.executable).parent / "orders"), "serve", "--port", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield Stack(_address(process.stdout))
        finally:
            process.terminate()
            process.stdout.read()


def _address(lines: Iterable[str]) -> str:
    url = None
    for line in lines:
        found = READY.match(line)
        url = found[1] if found else url
        if url and line.startswith("ready"):
            return url
    raise RuntimeError("the stack did not come up")


@dataclass
class Visit:
    """One tab of a browser that keeps nothing, and what went wrong in it."""

    context: BrowserContext
    page: Page
    stack: Stack
    faults: list[str] = field(default_factory=list)

    def sign_in(self, who: str, path: str = "/admin") -> None:
        """As somebody whose name is on the sign-in's list: through it the first time, then with what the pages kept of it."""
        address = f"{self.stack.url}{path}"
        if who in self.stack.sessions:
            self.context.add_init_script(f"({KEEP})({json.dumps([self.stack.url, self.stack.sessions[who]])})")
            self.page.goto(address)
            return
        self.page.goto(address)
        self.choose(who)
        self.page.wait_for_url(lambda url: urlsplit(url).path == urlsplit(path).path)
        self.stack.sessions[who] = self.page.evaluate("sessionStorage.getItem('session')")

    def choose(self, who: str) -> None:
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("link", name=who).first.click()

    def heading(self) -> Locator:
        return self.page.get_by_role("heading", level=1)

    def fits(self) -> bool:
        """Whether nothing has to be scrolled sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"))

    def violations(self, *rules: str) -> list[str]:
        """What axe-core finds, by all its rules or by these."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(axe())
        options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
        found = self.page.evaluate("options => axe.run(document, options)", options)
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found["violations"] for node in one["nodes"]
        ]

    def tab_to(self, name: str, most: int = 120) -> None:
        """With the keyboard alone; fails when it cannot be reached."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            focused = self.page.evaluate(
                "(document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText ?? '').trim()"
            )
            if focused.startswith(name):
                return
        raise AssertionError(f"{name!r} cannot be reached by keyboard")


@cache
def axe() -> str:
    return AXE.read_text(encoding="utf-8")


@contextmanager
def visiting(
    browser: Browser, stack: Stack, width: int = 1440, scheme: ColorScheme = "light", zone: str = "Europe/Berlin"
) -> Iterator[Visit]:
    """A visit that must end without a script's error, a broken policy, or a word to another host."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        locale="en-GB",
        timezone_id=zone,
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    visit = Visit(context, page, stack)
    page.on("pageerror", lambda error: visit.faults.append(f"script: {error}"))
    page.on("dialog", lambda dialog: visit.faults.append(f"dialog: {dialog.message}"))
    page.on("console", lambda said: visit.faults.append(said.text) if "Content Security Policy" in said.text else None)
    page.on("request", lambda asked: _note_host(visit, asked.url))
    try:
        yield visit
        assert visit.faults == []
    finally:
        context.close()


def _note_host(visit: Visit, url: str) -> None:
    if urlsplit(url).scheme != "data" and not url.startswith(visit.stack.url):
        visit.faults.append(f"asked another host: {url}")


def wait_for(condition: Any, seconds: float = PATIENCE) -> None:
    """Until it holds; for what no page shows."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)
