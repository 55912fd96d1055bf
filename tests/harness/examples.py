"""How many examples a property is tried with."""

from typing import Any

from hypothesis import settings


def examples(count: int, **more: Any) -> settings:
    """So many of them; a profile that asks for fewer than the usual hundred gets as many fewer of these."""
    return settings(max_examples=max(1, count * settings().max_examples // 100), **more)
