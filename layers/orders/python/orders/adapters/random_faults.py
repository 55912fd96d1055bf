"""Faults of the simulated parties at random, for chaos runs."""

import random

from orders import settings


def maybe_fail(fault: Exception) -> None:
    """Raises the fault at the rate a chaos run has set; never, unless one was set."""
    rate = settings.simulated_failure_rate()
    if rate and random.random() < rate:  # noqa: S311 - chance, not a secret
        raise fault
