"""Every module of the product loads: what another Python has no more, or warns of, shows here."""

from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers/orders/python"


def test_every_module_loads() -> None:
    handlers = [path.stem for path in (ROOT / "functions").glob("*.py")]
    inside = [path.relative_to(LAYER).with_suffix("").parts for path in (LAYER / "orders").rglob("*.py")]
    names = handlers + [".".join(parts).removesuffix(".__init__") for parts in inside]
    assert sorted(import_module(name).__name__ for name in names) == sorted(names)
    assert {"reserve_stock", "orders.domain.order"} <= set(names)
