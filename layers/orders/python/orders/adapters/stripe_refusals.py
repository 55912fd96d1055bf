"""What a call of Stripe may come to beside its result."""


class NotTaken(Exception):
    """Stripe has refused the call: its parameters, or the payment's state, do not allow it. Nothing came of it.

    ``about`` is what Stripe names of it: the parameter, or else its words.
    """

    def __init__(self, code: str | None, about: str = "") -> None:
        super().__init__(code)
        self.about = about


class Declined(Exception):
    """The customer's bank, or Stripe, has refused the payment; ``reason`` is what the customer may read, if that was said."""

    def __init__(self, reason: str | None) -> None:
        super().__init__(reason)
        self.reason = reason


class Lost(Exception):
    """No response came: whether anything came of the call is not known."""
