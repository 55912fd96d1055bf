"""How many orders a second one hot product bears: every reservation is a transaction on its one item.

DynamoDB refuses a transaction while another holds one of its items (TransactionConflict). The product then tries again as
`changes.with_retries` does, and after that as the state machine's Retry does; this plays both, with the times as arguments.
"""

from __future__ import annotations

import heapq
import random
import sys
from dataclasses import dataclass

HELD_SECONDS = 0.012  # from a transaction's prepare to its commit, two round trips inside the region
ATTEMPTS, FIRST_PAUSE = 6, 0.01  # changes.with_retries
RETRIES, FIRST_DELAY, LONGEST_DELAY = 6, 1.0, 20.0  # the machine's Retry: full jitter


@dataclass(frozen=True)
class Contention:
    rate: float
    tries_per_order: float
    refused_share: float
    retried_by_machine: float
    given_up: float
    p99_seconds: float


def simulate(rate: float, seconds: float = 120.0, seed: int = 1, held: float = HELD_SECONDS) -> Contention:
    """Orders of one product, arriving by chance at this rate."""
    dice = random.Random(seed)  # noqa: S311 - a simulation
    queue: list[tuple[float, int, float, int]] = []
    moment, number = 0.0, 0
    while moment < seconds:
        moment += dice.expovariate(rate)
        heapq.heappush(queue, (moment, number, moment, 0))
        number += 1
    free_at, tries, refused, retried, lost = 0.0, 0, 0, 0, 0
    taken: list[float] = []
    while queue:
        now, order, arrived, attempt = heapq.heappop(queue)
        tries += 1
        if now >= free_at:
            free_at = now + held
            taken.append(free_at - arrived)
            continue
        refused += 1
        attempt += 1
        if attempt % ATTEMPTS:
            pause = dice.random() * FIRST_PAUSE * 2 ** (attempt % ATTEMPTS - 1)
        elif attempt // ATTEMPTS <= RETRIES:
            retried += 1
            pause = dice.uniform(0, min(LONGEST_DELAY, FIRST_DELAY * 2 ** (attempt // ATTEMPTS - 1)))
        else:
            lost += 1
            continue
        heapq.heappush(queue, (now + pause, order, arrived, attempt))
    taken.sort()
    return Contention(rate, tries / number, refused / tries, retried / number, lost / number, taken[int(len(taken) * 0.99) - 1])


def main() -> int:
    sys.stdout.write(
        "| orders/s of one product | tries an order | refused | retried by the machine | given up | p99, s |\n|---|---|---|---|---|---|\n"
    )
    for rate in (1, 5, 10, 20, 40, 60, 80, 100):
        found = simulate(rate)
        sys.stdout.write(
            f"| {rate} | {found.tries_per_order:.2f} | {found.refused_share:.1%} | {found.retried_by_machine:.2%} | "
            f"{found.given_up:.2%} | {found.p99_seconds:.2f} |\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
