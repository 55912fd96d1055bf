"""How long is waited before something is tried again: ever longer, and by chance, so that those who lost together part."""

import random
import time

ATTEMPTS = 6


def pause(attempt: int) -> None:
    """Waits after the attempt of that number, counted from 0."""
    time.sleep(random.random() * 0.01 * 2**attempt)  # noqa: S311 - spreads those who lost together
