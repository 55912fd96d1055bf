"""Clients of AWS, made by botocore itself: boto3 would load file transfers and resources with every cold start, for nothing."""

from functools import cache
from typing import Any

from botocore.config import Config
from botocore.session import Session, get_session

from orders import logs

ATTEMPTS = 4


@cache
def session() -> Session:
    """One session a process: a second client costs a fortieth of the first."""
    logs.hold_libraries()
    return get_session()


def client(service: str, **config: Any) -> Any:
    """A client whose calls are tried a few times where that may help."""
    retries: Any = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    return session().create_client(service, config=Config(retries=retries, **config))
