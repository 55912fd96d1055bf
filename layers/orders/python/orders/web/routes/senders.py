"""What carriers and payment providers report, signed by each."""

from orders.web.routes.route import Route, Who

SENDERS = (
    Route(
        "POST /carriers/{carrier}/events",
        frozenset({Who.SIGNED}),
        "receiveCarrierEvent",
        "Report a parcel's scan; signed by the carrier over the raw bytes",
        "receive_carrier_event",
        query=("token",),
        body="CarrierEvent",
        answer="Accepted",
        refusals=("Unauthenticated", "NotFound", "PayloadTooLarge"),
    ),
    Route(
        "POST /payments/{provider}/events",
        frozenset({Who.SIGNED}),
        "receivePaymentEvent",
        "Report what became of a payment; signed by the payment provider over the raw bytes",
        "receive_payment_event",
        body="PaymentEvent",
        answer="Accepted",
        refusals=("Unauthenticated", "NotFound", "PayloadTooLarge"),
    ),
)
