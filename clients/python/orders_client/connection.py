"""A connection that retries, gives each POST an idempotency key, and raises what the API refuses."""

import json
from collections.abc import Callable, Generator
from typing import Any
from uuid import uuid4

import httpx
from httpx_retries import Retry, RetryTransport

from orders_client.client import AuthenticatedClient
from orders_client.models.problem import Problem

RETRIED_METHODS = ("GET", "PUT", "DELETE", "POST")
"""Not PATCH: it has no idempotency key, so that its second try may be refused because the first one succeeded."""
RETRIED_STATUSES = (429, 500, 502, 503, 504)


class Refused(Exception):
    """The API refuses a request, or failed at it after all retries."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self.status = status
        self.code: str | None = document.get("code")
        """What a program goes by, such as ``NOT_FOUND``; None where the gateway in front of the API refused."""
        self.problem = Problem.from_dict(document) if "code" in document else None
        """All that the API says about it."""
        said = document.get("detail") or document.get("message") or "no reason given"
        super().__init__(f"{status} {self.code or ''}".rstrip() + f": {said}")


def refused(response: httpx.Response) -> Refused:
    """The refusal in a response that was read."""
    try:
        document = response.json()
    except json.JSONDecodeError:
        document = {}
    return Refused(response.status_code, document if isinstance(document, dict) else {})


class BearerToken(httpx.Auth):
    """Sends a token; one that is given as a function is asked for at each call, so that it can be renewed."""

    def __init__(self, token: str | Callable[[], str]) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Adds the token to the request."""
        token = self._token if isinstance(self._token, str) else self._token()
        request.headers["Authorization"] = f"Bearer {token}"
        yield request


class Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Sees each call once: its key is made here, before the retries, and stays the same for all of them."""

    def __init__(self, retrying: RetryTransport) -> None:
        self._retrying = retrying

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request, and raises what is refused."""
        response = self._retrying.handle_request(with_key(request))
        if response.status_code >= httpx.codes.BAD_REQUEST:
            response.read()
            response.close()
            raise refused(response)
        return response

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request, and raises what is refused."""
        response = await self._retrying.handle_async_request(with_key(request))
        if response.status_code >= httpx.codes.BAD_REQUEST:
            await response.aread()
            await response.aclose()
            raise refused(response)
        return response

    def close(self) -> None:
        """Closes the connections."""
        self._retrying.close()

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._retrying.aclose()


def with_key(request: httpx.Request) -> httpx.Request:
    """The request with an idempotency key of its own, where it needs one and its caller gave none."""
    if request.method == "POST":
        request.headers.setdefault("Idempotency-Key", str(uuid4()))
    return request


def connect(
    url: str, token: str | Callable[[], str], *, retries: int = 5, backoff: float = 0.5, timeout: float = 30
) -> AuthenticatedClient:
    """A client of the API at ``url``, for ``sync`` and for ``asyncio``.

    ``backoff`` is the first pause between two tries in seconds, which doubles each time; ``Retry-After`` comes first.
    """
    retry = Retry(
        total=retries,
        allowed_methods=RETRIED_METHODS,
        status_forcelist=RETRIED_STATUSES,
        backoff_factor=backoff,
        max_backoff_wait=30,
    )
    arguments = {"transport": Transport(RetryTransport(retry=retry)), "auth": BearerToken(token)}
    return AuthenticatedClient(base_url=url, token="", timeout=httpx.Timeout(timeout), httpx_args=arguments)
