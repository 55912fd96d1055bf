"""What is missing of an order in stock, and what the customer wants to be done then."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from orders.domain.personal import Privacy


class ShortagePolicy(StrEnum):
    """What becomes of an order of which not all is in stock."""

    CANCEL = "cancel"
    DROP = "drop"
    """What is missing is taken off."""
    ASK = "ask"
    """What is there is reserved, and the customer is asked."""


class ShortageStatus(StrEnum):
    """What a shortage of an order waits for."""

    ASKED = "ASKED"
    """The customer's answer."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """How many pieces of which lines were missing; ``expires_at`` is until when its customer may answer, while asked."""

    missing: Annotated[Mapping[str, int], Privacy.IMPERSONAL] = field(default_factory=dict)
    expires_at: datetime | None = None
