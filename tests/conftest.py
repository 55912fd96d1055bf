"""What holds for every test: no outcome depends on how fast the machine is, and a run that is ended leaves nothing behind."""

import functools
import signal
from collections.abc import Iterator

import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import HealthCheck, settings

# An example may take as long as it likes, and so may making them: the machine may have other work.
settings.register_profile("orders", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# For another Python after this one: its words and defaults show with the first examples, if they show at all.
settings.register_profile("few", settings.get_profile("orders"), max_examples=5)
settings.load_profile("orders")


def pytest_configure() -> None:
    """SIGTERM ends a run as Ctrl-C does: fixtures stop the stacks that they have started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def services_are_read_once() -> Iterator[None]:
    """botocore reads a service's description anew for each session, and imitated AWS is a session for each test: a third of
    their time. What is read does not change, and botocore itself shares it among the clients of a session."""
    read = functools.cache(JSONFileLoader().load_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: read(path))
        yield
