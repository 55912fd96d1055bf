"""What a stack is made with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local.fastpath import switch

ROOT = Path(__file__).resolve().parent.parent.parent
STACK_NAME = "orders"


@dataclass(frozen=True)
class Settings:
    port: int = 0
    aws_port: int = 0
    data: Path | None = None
    container_host: str | None = None
    """What containers call this machine, an address of it or a name: where they reach the engine. Without it they do not."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    template: Path = ROOT / "template.yaml"
    # Where handlers and their imports are, as the template's CodeUri and layers say.
    code: Sequence[Path] = (ROOT / "functions", ROOT / "layers" / "orders" / "python")
    seed: bool = True
    disorder: int | None = None
    """A seed for late, reordered and repeated stream records; without one there is no disorder."""
    fast_path: bool = field(default_factory=switch.wanted)
    """Off: the engine handles every request itself, more slowly and with the same result."""
