"""Short storms: orders under faults at every seam, killed once, and every book right to the unit at the end.

``make chaos`` runs longer ones; a seed that fails there is repeated with ``python -m tests.chaos --first SEED``.
"""

import pytest

from tests.chaos.storm import storm
from tests.e2e.stacks import deployed

pytestmark = pytest.mark.skipif(deployed() is not None, reason="only a stack on this machine may be broken on purpose")


@pytest.mark.parametrize(("seed", "kills"), [(1, 0), (7, 0), (2, 1)])
def test_every_book_is_right_after_the_storm(seed: int, kills: int) -> None:
    report = storm(seed, orders=30, kills=kills)
    assert report.errors == [], f"seed {seed}, faults: {dict(report.faults)}"
    assert sum(report.faults.values()) > 30
    assert sum(report.statuses.values()) == 30
