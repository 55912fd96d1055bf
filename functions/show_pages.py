"""The pages: a customer's tracking page, the desk, the page that a sign-in returns to, and their files."""

from html import escape
from http import HTTPStatus
from pathlib import Path

from orders import settings
from orders.domain.errors import OrderError, Unauthenticated
from orders.services import keys, mails, reading, tracking_links
from orders.services.changes import utc_now
from orders.web import links
from orders.web.handling import Answer, Request, problem, serve
from orders.web.pages import JSON, Pages, json_of_page
from orders.web.shapes import View
from orders.web.tracking import tracking_view

PAGES = Pages(Path(__file__).parent / "pages")


def show_tracking(request: Request) -> Answer:
    """One order's page. With a tracking token it contains its data; without one it offers sign-in.

    The page requests JSON from this route when the order has changed.
    """
    as_json = JSON in request.headers.get("accept", "")
    try:
        view = _tracked(request)
        if not as_json:
            return PAGES.page("track.html", view)
        if view is None:
            raise Unauthenticated("Open this with the token of a tracking link.")
        return json_of_page(view)
    except OrderError as refusal:
        return problem(refusal, request.route.path) if as_json else PAGES.refusal(refusal)


def _tracked(request: Request) -> View | None:
    """What the bearer of the tracking token may see; ``None`` without a token."""
    token, order_id = request.query.get("token"), request.order_id
    if token is None:
        return None
    links.check(request, token)
    return tracking_view(reading.to_show(order_id), utc_now())


def show_desk(request: Request) -> Answer:
    """Support's desk: an empty page, which asks the API for everything with the token of the person signed in."""
    used = settings.providers()
    words = f"Payments: {used['payment_provider']}, carrier: {used['carrier_provider']}"
    return PAGES.fresh("desk.html", request, {"providers": escape(words)})


def show_signed_in(_: Request) -> Answer:
    """The page that a sign-in returns to; its script exchanges the code for a token and opens the previous page."""
    return PAGES.page("signed-in.html")


def show_unsubscribe(request: Request) -> Answer:
    """Asks whether mails should end: a program that only looks at a link must not end them."""
    return PAGES.unsubscribing("asked") if _digest(request) else PAGES.unsubscribing("unknown", HTTPStatus.FORBIDDEN)


def unsubscribe(request: Request) -> Answer:
    """Ends mails: the page's button, or a mail program's own (RFC 8058)."""
    digest = _digest(request)
    if digest is None:
        return PAGES.unsubscribing("unknown", HTTPStatus.FORBIDDEN)
    mails.unsubscribe(digest)
    return PAGES.unsubscribing("done")


def _digest(request: Request) -> str | None:
    """Whose mails the link is about, if it is one of ours."""
    try:
        return str(tracking_links.unseal(mails.UNSUBSCRIBE, request.query.get("token", ""), keys.signing_key()))
    except ValueError:
        return None


handler = serve(
    {
        "GET /track/{id}": show_tracking,
        "GET /admin": show_desk,
        "GET /signed-in": show_signed_in,
        "GET /unsubscribe": show_unsubscribe,
        "POST /unsubscribe": unsubscribe,
        "GET /assets/{version}/{file+}": PAGES.asset,
    }
)
