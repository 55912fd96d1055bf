"""Who asks for a change of an order."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: ``by`` is written on the trail, ``staff`` decides which cancellation reason is given."""

    by: str
    staff: bool = False
