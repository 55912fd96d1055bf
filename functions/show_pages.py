"""The pages people look at: a customer's tracking page, support's desk, where a sign-in comes back to, and what they load."""

from pathlib import Path

from orders.domain.errors import OrderError, Unauthenticated
from orders.services import reading
from orders.services.changes import utc_now
from orders.web import links
from orders.web.handling import Answer, Request, problem, serve
from orders.web.pages import JSON, Pages, json_of_page
from orders.web.tracking import tracking_view
from orders.web.views import View

PAGES = Pages(Path(__file__).parent / "pages")


def show_tracking(request: Request) -> Answer:
    """One order's page. With a tracking token it carries what it shows; without one it offers sign-in.

    The page asks this very route for JSON when the order has moved on.
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
    """What the bearer of the tracking token may see; ``None`` for somebody who brings none."""
    token, order_id = request.query.get("token"), request.order_id
    if token is None:
        return None
    links.check(request, token)
    return tracking_view(reading.to_show(order_id), utc_now())


def show_desk(request: Request) -> Answer:
    """Support's desk: an empty page, which asks the API for everything with the token of the person signed in."""
    return PAGES.fresh("desk.html", request)


def show_signed_in(_: Request) -> Answer:
    """Where the sign-in sends people back to; its script changes the code for a token and goes where they came from."""
    return PAGES.page("signed-in.html")


handler = serve(
    {
        "GET /track/{id}": show_tracking,
        "GET /admin": show_desk,
        "GET /signed-in": show_signed_in,
        "GET /assets/{version}/{file+}": PAGES.asset,
    }
)
