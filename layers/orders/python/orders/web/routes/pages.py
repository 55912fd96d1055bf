"""The description, and the pages for people."""

from orders.web.routes.route import ANYONE, Route

PAGES = (
    Route("GET /health", ANYONE, "getHealth", "Whether the service is up", "show_docs", answer="Health"),
    Route("GET /openapi.json", ANYONE, "getOpenApi", "This description", "show_docs", answer="OpenApi"),
    Route("GET /docs", ANYONE, "getDocs", "The description, to read", "show_docs", answer="text/html"),
    Route("GET /", ANYONE, "showStart", "Where to go from here", "show_docs", is_page=True),
    # A page is open to anyone; what it shows needs a token: the tracking link's, or the bearer token of who signs in.
    Route("GET /track/{id}", ANYONE, "showTracking", "An order, to watch", "show_pages", query=("token",), is_page=True),
    Route("GET /admin", ANYONE, "showAdmin", "Support's desk", "show_pages", is_page=True),
    # Opened from a mail, and called by mail programs (RFC 8058).
    Route("GET /unsubscribe", ANYONE, "showUnsubscribe", "Ends mails", "show_pages", query=("token",), is_page=True),
    Route("POST /unsubscribe", ANYONE, "unsubscribe", "Ends mails", "show_pages", query=("token",), is_page=True),
    Route("GET /signed-in", ANYONE, "showSignedIn", "Where the sign-in comes back to", "show_pages", is_page=True),
    Route("GET /assets/{version}/{file+}", ANYONE, "showAsset", "What the pages load", "show_pages", is_page=True),
)
