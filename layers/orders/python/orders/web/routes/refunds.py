"""Money given back without goods."""

from orders.web.routes.route import CHANGE_ONCE, STAFF, Route

REFUNDS = (
    Route(
        "POST /orders/{id}/refunds",
        STAFF,
        "refundOrder",
        "Give money back without goods: an amount, what pieces are worth, or all that is left",
        "change_order",
        body="RefundBody",
        answer="OrderAnswer",
        refusals=CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/refunds/{refund_id}/retry",
        STAFF,
        "retryRefund",
        "Ask the provider again for a refund that it has refused",
        "change_order",
        body="Empty",
        answer="OrderAnswer",
        refusals=CHANGE_ONCE,
    ),
    Route(
        "POST /orders/{id}/refunds/{refund_id}/complete",
        STAFF,
        "completeRefund",
        "The cash of a refund was handed out to the customer",
        "change_order",
        body="Empty",
        answer="OrderAnswer",
        refusals=CHANGE_ONCE,
    ),
)
