"""What holds for every test: no outcome depends on how fast the machine is, and a run that is ended leaves nothing behind."""

import signal

from hypothesis import HealthCheck, settings

# An example may take as long as it likes, and so may making them: the machine may have other work.
settings.register_profile("orders", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("orders")


def pytest_configure() -> None:
    """SIGTERM ends a run as Ctrl-C does: fixtures stop the stacks that they have started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
