"""``GET /analytics/summary``: the analytics of all orders, from counters; no order is read."""

import re
from datetime import date, timedelta

from orders.domain.errors import InvalidArgument
from orders.services import counting
from orders.services.changes import utc_now
from orders.web import analytics_views
from orders.web.handling import Answer, Request, answer, serve

MOST_DAYS = 366
USUAL_DAYS = 30
"""How many days end with ``to`` where there is no ``from``."""


def get_summary(request: Request) -> Answer:
    """Counts, values, times and rates: of all orders, or of the days from ``from`` to ``to``."""
    first, last = _day(request, "from"), _day(request, "to")
    if first is None and last is None:
        return answer(analytics_views.of_all(counting.totals()))
    last = last or max(utc_now().date(), first or date.min)
    first = first or last - timedelta(days=min(USUAL_DAYS - 1, (last - date.min).days))
    if first > last:
        raise InvalidArgument.of("from", "must not be after to")
    if (last - first).days >= MOST_DAYS:
        raise InvalidArgument.of("from", f"must be within {MOST_DAYS} days of to")
    return answer(analytics_views.of_days(counting.by_day(first, last), first, last))


def _day(request: Request, name: str) -> date | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidArgument.of(name, "must be a day, such as 2026-11-20")


handler = serve({"GET /analytics/summary": get_summary})
