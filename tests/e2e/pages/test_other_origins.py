"""A page of another origin, in a real browser on this machine, reads nothing of a local stack and changes nothing in it."""

import functools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from playwright.sync_api import Browser, Page, expect

from local.cli.client import Api
from tests.e2e.pages.browsing import FLAGS, Stack, chromium

QUEUE = "made-by-a-page"
ATTACK = """async ({ targets, sockets }) => {
  const got = [];
  const loaded = (element, kind, url) => new Promise((done) => {
    element.onload = element.onopen = () => { got.push(`${kind} ${url}`); done(); };
    element.onerror = done;
  });
  const shown = (element, attribute, kind, url) => {
    const ended = loaded(element, kind, url);
    element[attribute] = url;
    document.body.append(element);
    return ended;
  };
  const posted = (url, fields, enctype) => new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.name = `frame-${Math.random()}`;
    document.body.append(frame);
    const form = Object.assign(document.createElement("form"), { action: url, method: "post", target: frame.name, enctype });
    for (const [name, value] of Object.entries(fields)) {
      form.append(Object.assign(document.createElement("input"), { name, value }));
    }
    document.body.append(form);
    frame.onload = () => {
      try {
        if (frame.contentDocument?.body.textContent) got.push(`form ${url}`);
      } catch { /* it is of another origin, and cannot be read */ }
      done();
    };
    form.submit();
  });
  for (const { url, fields } of targets) {
    const form = new URLSearchParams(fields);
    const tries = [
      { method: "GET" }, { method: "GET", mode: "no-cors" },
      { method: "POST", body: form }, { method: "POST", body: form, mode: "no-cors" },
      { method: "POST", body: JSON.stringify(fields), mode: "no-cors" },
      { method: "POST", body: "{}", headers: { "content-type": "application/json", "x-amz-target": "AmazonSQS.ListQueues" } },
      { method: "PUT", body: "x" }, { method: "DELETE" },
    ];
    for (const how of tries) {
      try {
        const answer = await fetch(url, { ...how, cache: "no-store" });
        if (answer.type !== "opaque") got.push(`${how.method} ${how.mode ?? "cors"} ${url}: ${answer.status}`);
      } catch { /* the browser keeps it from us */ }
    }
    await shown(document.createElement("img"), "src", "image", url);
    await shown(document.createElement("script"), "src", "script", url);
    await shown(Object.assign(document.createElement("link"), { rel: "stylesheet" }), "href", "style sheet", url);
    const source = new EventSource(url);
    await loaded(source, "event source", url);
    source.close();
    await posted(url, fields, "application/x-www-form-urlencoded");
    await posted(url, fields, "text/plain");
  }
  for (const url of sockets) await loaded(new WebSocket(url), "websocket", url);
  return got;
}"""


@contextmanager
def elsewhere(page: str) -> Iterator[str]:
    """A page of another origin: another port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(f"<!doctype html><title>Elsewhere</title><body>{page}".encode())

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Page]:
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(url)
        yield page
    finally:
        context.close()


@functools.cache
def inside(stack: Stack) -> dict[str, Any]:
    """What `orders serve` tells programs of this machine about itself."""
    found: dict[str, Any] = Api(stack.url).call("POST", "/.local/stack", {})
    return found


def queues(stack: Stack) -> list[str]:
    client: Any = boto3.client(
        "sqs",
        endpoint_url=inside(stack)["aws_url"],
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    return sorted(client.list_queues().get("QueueUrls", []))


def test_a_page_of_another_origin_reads_nothing_and_changes_nothing(patient: Stack, browser: Browser) -> None:
    order_id = patient.place()["order"]["order_id"]
    aws, before = inside(patient)["aws_url"], queues(patient)
    make_queue = {"Action": "CreateQueue", "QueueName": QUEUE, "Version": "2012-11-05"}
    person = {"sub": "eve", "groups": "admin"}
    targets = [
        {"url": f"{aws}/?Action=CreateQueue&QueueName={QUEUE}&Version=2012-11-05", "fields": make_queue},
        {"url": f"{aws}/", "fields": make_queue},
        {"url": f"{aws}/_ministack/reset", "fields": {}},
        {"url": f"{aws}/_ministack/health", "fields": {}},
        {"url": f"{patient.url}/health", "fields": {}},
        {"url": f"{patient.url}/products", "fields": {}},
        {"url": f"{patient.url}/.local/token", "fields": person},
        {"url": f"{patient.url}/.local/stack", "fields": {}},
        {"url": f"{patient.url}/.local/sweep", "fields": {}},
        {"url": f"{patient.url}/.local/jwks.json", "fields": {}},
    ]
    # By each of its names: one is another site in a browser's eyes, the other the same site at another port.
    targets += [{**target, "url": str(target["url"]).replace("127.0.0.1", "localhost")} for target in targets]
    sockets = [url.replace("http:", "ws:") + path for url in (aws, patient.url) for path in ("/", "/_aws/execute-api/x/y")]
    with elsewhere("") as url, opened(browser, url) as page:
        assert page.evaluate(ATTACK, {"targets": targets, "sockets": sockets}) == []
    assert queues(patient) == before
    assert patient.order(order_id)["order"]["order_id"] == order_id


def test_a_name_that_is_made_to_lead_to_this_machine_opens_nothing(patient: Stack, browser: Browser) -> None:
    path = chromium()
    assert path is not None
    rules = "--host-resolver-rules=MAP rebound.example 127.0.0.1"
    rebound = browser.browser_type.launch(executable_path=path, args=[*FLAGS, rules])
    try:
        for url in (patient.url, inside(patient)["aws_url"]):
            with opened(rebound, f"http://rebound.example:{urlsplit(url).port}/health") as page:
                assert page.inner_text("body") == '{"message":"Forbidden"}'
                reading = "async (path) => (await fetch(path, { method: 'POST', body: '{}' })).status"
                assert [page.evaluate(reading, path) for path in ("/", "/.local/token", "/_ministack/reset")] == [403] * 3
    finally:
        rebound.close()


def test_a_link_elsewhere_leads_to_the_tracking_page_and_not_into_the_machine(patient: Stack, browser: Browser) -> None:
    link = patient.link(patient.place())
    person = f"{patient.url}/.local/oauth2/authorize?person=alex"
    with elsewhere(f'<a href="{link}">Track</a> <a href="{person}">Win</a> <iframe src="{link}"></iframe>') as url:
        with opened(browser, url) as page:
            page.get_by_role("link", name="Track").click()
            expect(page.get_by_text("Enamel mug").first).to_be_visible()
        with opened(browser, url) as page:
            page.get_by_role("link", name="Win").click()
            expect(page.locator("body")).to_have_text(json.dumps({"message": "Forbidden"}, separators=(",", ":")))


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_people_sign_in_at_either_name_of_this_machine(patient: Stack, browser: Browser, name: str) -> None:
    with opened(browser, f"{patient.url.replace('127.0.0.1', name)}/admin") as page:
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Sam").first.click()
        expect(page.get_by_role("link", name="Analytics")).to_be_visible()
        assert urlsplit(page.url).hostname == name
