"""schemathesis goes through everything that /openapi.json describes, right and wrong, and finds nothing.

All its checks are on; ``schemathesis.toml`` says what a description cannot. ``E2E_FULL=1`` (``make fuzz``) tries much more,
from a new seed each time.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import FULL
from tests.harness.stacks import Deployment, Served, deployed, serving

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = 200 if FULL else 3
GROUPS = {"staff": ("support", "admin", "carrier"), "customer": ()}
NOT_CHECKED = "allow_header_conformance"
"""The path `/products/stock` is also that of a product whose id is `stock`, which takes the methods of a product."""
PHASES = {"staff": "examples,coverage,fuzzing,stateful", "customer": "examples,fuzzing,stateful"}
"""The fixed cases of each part of the description (coverage) ask what staff may send; a customer is refused most of them."""


@pytest.fixture(scope="module")
def stack() -> Iterator[Deployment]:
    """One of its own: prices, products and webhooks are anything afterwards."""
    remote = deployed()
    if remote is not None:
        yield remote
        return
    with serving("--payment-seconds", "0", "--preparation-seconds", "0", "--delivery-seconds", "0") as served:
        yield served


@pytest.mark.parametrize("who", GROUPS)
def test_schemathesis_finds_nothing(stack: Deployment, who: str, tmp_path: Path, figure: Callable[[str], None]) -> None:
    token = stack.sign("fuzzer", GROUPS[who])
    seed = [] if FULL else ["--seed", "20261120"]
    run = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
            *("run", f"{stack.url}/openapi.json", "--header", f"Authorization: Bearer {token}"),
            *(
                "--checks",
                "all",
                "--exclude-checks",
                NOT_CHECKED,
                "--mode",
                "all",
                "--phases",
                PHASES[who],
                "--max-examples",
                str(EXAMPLES),
                "--no-color",
                *seed,
            ),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    said = run.stdout + run.stderr
    assert run.returncode == 0, said[-20_000:]
    counted = re.search(r"\d+ generated.*", said)
    took = re.search(r" in [\d.]+s", said)
    figure(f"schemathesis as {who}: {counted and counted.group()}{took and took.group()}")
    if isinstance(stack, Served):
        assert stack.crashes() == []
