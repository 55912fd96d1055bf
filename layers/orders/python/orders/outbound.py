"""Sending one webhook to an address a stranger has chosen, without letting it reach anything of ours.

The name is resolved once, every address it has is checked, and the connection is made to the very address that was
checked: a name that answers something else a moment later changes nothing. Redirects are not followed, the answer's body is
not read, and the whole exchange has one deadline, however slowly the bytes drip.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import SplitResult, urlsplit

from standardwebhooks import Webhook as Signer

from orders import settings
from orders.errors import InvalidArgument
from orders.webhooks import Attempt, Delivery

DEADLINE_SECONDS = 10.0
NAT64 = ipaddress.ip_network("64:ff9b::/96")

Resolve = Callable[[str, int], Iterable[str]]


class Refused(Exception):
    """The address must not be spoken to; the text says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, checked: ``address`` is the one to use, ``host`` what to ask and to verify for."""

    url: SplitResult
    host: str
    port: int
    address: str


def resolve(host: str, port: int) -> list[str]:
    """Every address a name has."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def check_url(text: str) -> SplitResult:
    """A URL a webhook may have: https, a host, no credentials; http to loopback too, where the deployment is a laptop's.

    Raises:
        InvalidArgument: with what is wrong about it.
    """
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise InvalidArgument.of("url", "is not a URL") from None
    if not url.hostname or url.username or url.password or port == 0:
        raise InvalidArgument.of("url", "must have a host and no credentials")
    if url.scheme == "https" or (url.scheme == "http" and settings.loopback_webhooks()):
        return url
    raise InvalidArgument.of("url", "must begin with https://")


def target_of(text: str, lookup: Resolve = resolve) -> Target:
    """The checked place to connect to.

    Raises:
        Refused: it is, or could be, one of ours: private, loopback, link-local, metadata, mapped or reserved.
    """
    url = check_url(text)
    host = url.hostname or ""
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        addresses = list(lookup(host, port))
    except OSError:
        raise Refused("The host name has no address.") from None
    if not addresses:
        raise Refused("The host name has no address.")
    for address in addresses:
        _check_address(address, plain=url.scheme == "http")
    return Target(url, host, port, addresses[0])


def _check_address(text: str, *, plain: bool) -> None:
    address = _real(ipaddress.ip_address(text.partition("%")[0]))
    if settings.loopback_webhooks() and address.is_loopback:
        return
    if plain or not address.is_global or address.is_multicast:
        raise Refused("The host has an address that is not public.")


def _real(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address inside an IPv6 one that only wraps it."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None) or address


def send(delivery: Delivery, url: str, secrets: Iterable[str], lookup: Resolve = resolve) -> Attempt:
    """Makes one attempt and says how it went; nothing a receiver does makes this raise."""
    at, started = datetime.now(UTC), time.monotonic()
    code, error = None, None
    try:
        code = _post(target_of(url, lookup), delivery, _headers(delivery, secrets, at))
    except Refused as refusal:
        error = str(refusal)
    except InvalidArgument as refusal:
        error = refusal.detail
    except TimeoutError:
        error = "No answer in time."
    except ssl.SSLError:
        error = "The TLS handshake failed."
    except (OSError, http.client.HTTPException):
        error = "The connection failed."
    return Attempt(at, round((time.monotonic() - started) * 1000), code, error)


def _headers(delivery: Delivery, secrets: Iterable[str], at: datetime) -> dict[str, str]:
    signatures = [Signer(secret).sign(delivery.delivery_id, at, delivery.payload) for secret in secrets]
    return {
        "content-type": "application/json",
        "user-agent": "orders-webhooks/1",
        "webhook-id": delivery.delivery_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _post(target: Target, delivery: Delivery, headers: dict[str, str]) -> int:
    deadline = time.monotonic() + DEADLINE_SECONDS
    raw = socket.create_connection((target.address, target.port), timeout=DEADLINE_SECONDS)
    watch = threading.Timer(DEADLINE_SECONDS, _hang_up, (raw,))
    watch.daemon = True
    watch.start()
    try:
        connection = http.client.HTTPConnection(target.host, target.port, timeout=DEADLINE_SECONDS)
        connection.sock = _secured(raw, target)
        path = (target.url.path or "/") + (f"?{target.url.query}" if target.url.query else "")
        connection.request("POST", path, body=delivery.payload.encode(), headers=headers)
        return connection.getresponse().status
    except OSError:
        if time.monotonic() >= deadline:
            raise TimeoutError from None
        raise
    except http.client.HTTPException:
        if time.monotonic() >= deadline:
            raise TimeoutError from None
        raise
    finally:
        watch.cancel()
        raw.close()


def _secured(raw: socket.socket, target: Target) -> socket.socket:
    if target.url.scheme == "http":
        return raw
    return ssl.create_default_context().wrap_socket(raw, server_hostname=target.host)


def _hang_up(raw: socket.socket) -> None:
    """Ends the exchange from outside: a time-out of the socket's own starts anew with each byte that drips in."""
    try:
        raw.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it ended by itself a moment before
