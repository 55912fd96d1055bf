"""``GET /analytics/summary``: what the counters add up to."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, TypedDict

from orders.domain.analytics import PAYMENT_FAILURES, PLACED, Counters, added, cancelled, duration, step_history
from orders.domain.progress import Duration
from orders.domain.statuses import FORWARD_PATH, TRANSITIONS, OrderStatus
from orders.domain.steps import CancelReason, StepName
from orders.web.payment_views import MoneyView
from orders.web.shapes import Count, Keywords

Day = Annotated[str, Keywords(format="date", examples=["2026-11-20"])]
Share = Annotated[float, Keywords(minimum=0)]
Seconds = Annotated[float, Keywords(minimum=0)]


class _DurationView(TypedDict):
    mean_seconds: Seconds
    p95_seconds: Seconds


class _StepView(_DurationView):
    step: StepName


class _StatusFiguresView(TypedDict):
    status: OrderStatus
    count: Count
    mean_order_value: MoneyView | None
    mean_order_values: list[MoneyView]
    time_in_status: _DurationView | None


class _ConversionView(TypedDict):
    status: OrderStatus
    left: Count
    went_on: Count
    rate: Share | None


class _ReasonView(TypedDict):
    reason: CancelReason
    count: Count


class _RatesView(TypedDict):
    orders_placed: Count
    payment_failures: Count
    cancel_rate: Share
    return_rate: Share


class _DayFiguresView(_RatesView):
    date: Day
    entered: dict[OrderStatus, Count]


class _FiguresView(_RatesView):
    cancel_reasons: list[_ReasonView]
    conversion: list[_ConversionView]
    statuses: list[_StatusFiguresView]
    steps: list[_StepView]


_Period = TypedDict("_Period", {"from": Day | None, "to": Day | None})


class AnalyticsView(_Period, _FiguresView):
    """The analytics of all orders, or of some days."""

    days: list[_DayFiguresView]


def of_all(counters: Counters) -> AnalyticsView:
    """All orders there ever were; ``count`` is how many are in the status now."""
    return {"from": None, "to": None, **_figures(counters), "days": []}


def of_days(days: Mapping[str, Counters], first: date, last: date) -> AnalyticsView:
    """Some days (UTC), both included; ``count`` is how many orders came into the status in them."""
    listed = [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
    return {
        "from": first.isoformat(),
        "to": last.isoformat(),
        **_figures(added(days.values())),
        "days": [{"date": day, **_rates(days.get(day, {})), "entered": _entered(days.get(day, {}))} for day in listed],
    }


def _figures(counters: Counters) -> _FiguresView:
    return {
        **_rates(counters),
        "cancel_reasons": [{"reason": one, "count": int(counters.get(cancelled(one), 0))} for one in CancelReason],
        "statuses": [_status(status, counters) for status in OrderStatus],
        "conversion": [_conversion(stage, counters) for stage in FORWARD_PATH if TRANSITIONS[stage] & set(FORWARD_PATH)],
        "steps": [{"step": step, **_seconds(known)} for step, known in step_history(counters).items()],
    }


def _rates(counters: Counters) -> _RatesView:
    placed = int(counters.get(PLACED, 0))
    came_off_the_way = counters.get(f"status:{OrderStatus.SHIPPED}:n", 0)
    return {
        "orders_placed": placed,
        "payment_failures": int(counters.get(PAYMENT_FAILURES, 0)),
        "cancel_rate": _share(counters.get(f"now:{OrderStatus.CANCELLED}", 0), placed) or 0.0,
        "return_rate": _share(counters.get(f"now:{OrderStatus.RETURNED}", 0), came_off_the_way) or 0.0,
    }


def _entered(counters: Counters) -> dict[OrderStatus, Count]:
    return {status: int(counters.get(f"now:{status}", 0)) for status in OrderStatus}


def _conversion(stage: OrderStatus, counters: Counters) -> _ConversionView:
    """Of the orders that left a stage, how many went on; the others were cancelled or came back."""
    moved = {after: int(counters.get(f"move:{stage}:{after}", 0)) for after in TRANSITIONS[stage]}
    left, went_on = sum(moved.values()), sum(count for after, count in moved.items() if after in FORWARD_PATH)
    return {"status": stage, "left": left, "went_on": went_on, "rate": _share(went_on, left)}


def _share(part: float, whole: float) -> Share | None:
    return round(part / whole, 4) if whole > 0 else None


def _status(status: OrderStatus, counters: Counters) -> _StatusFiguresView:
    lasted = duration(counters, f"status:{status}")
    values = [_mean_value(status, currency, counters) for currency in _currencies(status, counters)]
    return {
        "status": status,
        "count": int(counters.get(f"now:{status}", 0)),
        "mean_order_value": values[0] if values else None,
        "mean_order_values": values,
        "time_in_status": _seconds(lasted) if lasted else None,
    }


def _seconds(lasted: Duration) -> _DurationView:
    return {"mean_seconds": round(lasted.mean, 3), "p95_seconds": round(lasted.p95, 3)}


def _currencies(status: OrderStatus, counters: Counters) -> list[str]:
    """The currencies of the status's orders, the most frequent first."""
    prefix = f"orders:{status}:"
    held = {name.removeprefix(prefix): count for name, count in counters.items() if name.startswith(prefix) and count > 0}
    return sorted(held, key=lambda currency: (-held[currency], currency))


def _mean_value(status: OrderStatus, currency: str, counters: Counters) -> MoneyView:
    orders, worth = counters[f"orders:{status}:{currency}"], counters.get(f"worth:{status}:{currency}", 0)
    return {"amount": round(worth / orders), "currency": currency}
