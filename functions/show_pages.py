"""The pages: a customer's tracking page, the desk, the page that a sign-in returns to, and their files."""

from html import escape
from http import HTTPStatus
from pathlib import Path

from orders import settings
from orders.domain import languages
from orders.domain.errors import OrderError, Unauthenticated
from orders.domain.order import Snapshot
from orders.services import keys, mails, reading, tracking_links
from orders.services.changes import utc_now
from orders.web import links
from orders.web.handling import Answer, Request, problem, serve
from orders.web.pages import JSON, Pages, json_of_page
from orders.web.tracking import tracking_view

PAGES = Pages(Path(__file__).parent / "pages")


def show_tracking(request: Request) -> Answer:
    """One order's page. With a tracking token it contains its data; without one it offers sign-in.

    The page requests JSON from this route when the order has changed.
    """
    as_json = JSON in request.headers.get("accept", "")
    try:
        snapshot = _tracked(request)
        view = tracking_view(snapshot, utc_now()) if snapshot else None
        if not as_json:
            contact = snapshot.order.contact if snapshot else None
            return PAGES.page("track.html", _language(request, contact.locale if contact else None), view)
        if view is None:
            raise Unauthenticated("Open this with the token of a tracking link.")
        return json_of_page(view)
    except OrderError as refusal:
        return problem(refusal, request.route.path) if as_json else PAGES.refusal(refusal, _language(request))


def _tracked(request: Request) -> Snapshot | None:
    """The order of the bearer of a tracking token; ``None`` without a token."""
    token, order_id = request.query.get("token"), request.order_id
    if token is None:
        return None
    links.check(request, token)
    return reading.to_show(order_id)


def _language(request: Request, locale: str | None = None) -> str:
    """What the reader has chosen on the page, then the order's language, then the browser's."""
    accepted = request.headers.get("accept-language", "")
    return languages.preferred(request.query.get("lang"), locale, accepted=accepted)


def show_desk(request: Request) -> Answer:
    """Support's desk: an empty page, which asks the API for everything with the token of the person signed in."""
    used = settings.providers()
    words = f"Payments: {used['payment_provider']}, carrier: {used['carrier_provider']}"
    return PAGES.fresh("desk.html", request, {"providers": escape(words)})


def show_signed_in(request: Request) -> Answer:
    """The page that a sign-in returns to; its script exchanges the code for a token and opens the previous page."""
    return PAGES.page("signed-in.html", _language(request))


def show_unsubscribe(request: Request) -> Answer:
    """Asks whether mails should end: a program that only looks at a link must not end them."""
    tag = _language(request)
    return PAGES.unsubscribing("asked", tag) if _digest(request) else PAGES.unsubscribing("unknown", tag, HTTPStatus.FORBIDDEN)


def unsubscribe(request: Request) -> Answer:
    """Ends mails: the page's button, or a mail program's own (RFC 8058)."""
    digest, tag = _digest(request), _language(request)
    if digest is None:
        return PAGES.unsubscribing("unknown", tag, HTTPStatus.FORBIDDEN)
    mails.unsubscribe(digest)
    return PAGES.unsubscribing("done", tag)


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
