"""The pauses between retries: growing, with random jitter, so that competing writers spread out."""

import random
import time

ATTEMPTS = 6


def pause(attempt: int) -> None:
    """Waits after the attempt of that number, counted from 0."""
    time.sleep(random.random() * 0.01 * 2**attempt)  # noqa: S311 - spreads those who lost together
