"""The one place that clears what a process keeps for its life: clients, settings, secrets, what was read once."""

import sys
from types import ModuleType

from orders import settings


def forget(*modules: ModuleType) -> None:
    """As in a new process: every cached function of these modules, or of all the product's, starts anew."""
    of_the_product = [module for name, module in sys.modules.items() if name.startswith("orders.")]
    for module in modules or of_the_product:
        for kept in list(vars(module).values()):
            if getattr(kept, "__module__", None) == module.__name__ and hasattr(kept, "cache_clear"):
                kept.cache_clear()


def forget_settings() -> None:
    """The waits are read from the environment anew; clients, which take longer to make, stay."""
    settings.waits.cache_clear()
