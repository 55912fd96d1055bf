"""``GET /analytics/summary``: what all orders add up to, from counters; no order is read for it."""

from orders import statistics, store
from orders.http import Answer, Request, answer, serve


def get_summary(_: Request) -> Answer:
    """Counts, values, times and rates."""
    return answer(statistics.summary(store.counters()))


handler = serve({"GET /analytics/summary": get_summary})
