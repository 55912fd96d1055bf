"""Sends one webhook to an address that a subscriber chose, without access to internal addresses.

The name is resolved once, every address it has is checked, and the connection is made to the very address that was
checked: a name that resolves to something else a moment later changes nothing. Redirects are not followed, the body is
not read, and the whole exchange has one deadline, resolving the name included, however slowly the bytes arrive.
"""

import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from standardwebhooks import Webhook as Signer

from orders import settings
from orders.domain.errors import InvalidArgument
from orders.domain.webhooks import Attempt, Delivery

DEADLINE_SECONDS = 10.0
NAT64 = ipaddress.ip_network("64:ff9b::/96")
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# Written out: what Python's is_global says of some of these has changed between its releases, patch releases too.
SPECIAL_IPV4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
"""Every block of IANA's special-purpose registry, and multicast."""

SPECIAL_IPV6 = tuple(
    ipaddress.IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
"""The blocks of IANA's special-purpose registry that lie within global unicast, Teredo and 6to4 among them."""

_URL = re.compile("[!-~]+")

Resolve = Callable[[str, int], Iterable[str]]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(Exception):
    """The address is not allowed; the text says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, checked: any of ``addresses`` will do, ``host`` is what to ask and to verify for."""

    url: SplitResult
    host: str
    port: int
    addresses: tuple[str, ...]


def resolve(host: str, port: int) -> list[str]:
    """Every address a name has."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def check_url(text: str) -> SplitResult:
    """A URL a webhook may have: https, a public host, no credentials; http to loopback too, where the deployment is a laptop's.

    What a name leads to is checked with every delivery; an address is known to be wrong from the start.

    Raises:
        InvalidArgument: with what is wrong about it.
    """
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise InvalidArgument.of("url", "is not a URL") from None
    if not _URL.fullmatch(text):
        raise InvalidArgument.of("url", "must be written in ASCII, without spaces: names in punycode, the rest percent-encoded")
    if not url.hostname or url.username or url.password or port == 0:
        raise InvalidArgument.of("url", "must have a host and no credentials")
    if url.scheme != "https" and not (url.scheme == "http" and _is_this_machine(url.hostname)):
        raise InvalidArgument.of("url", "must begin with https://")
    address = _literal(url.hostname)
    if address is not None and not _may_reach(address, plain=url.scheme == "http"):
        raise InvalidArgument.of("url", "must lead to a public address")
    return url


def _is_this_machine(host: str) -> bool:
    address = _literal(host)
    return settings.loopback_webhooks() and (host == "localhost" if address is None else _real(address).is_loopback)


def _literal(host: str) -> Address | None:
    """The address that a host is written as, in any of the ways the resolver would take it; ``None`` for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def target_of(text: str, lookup: Resolve = resolve, within: float = DEADLINE_SECONDS) -> Target:
    """The checked place to connect to, found ``within`` so many seconds.

    Raises:
        AddressRefused: it is, or could be, one of ours: private, loopback, link-local, metadata, mapped or reserved.
        TimeoutError: the resolver has not answered in time.
    """
    url = check_url(text)
    host = url.hostname or ""
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        addresses = _looked_up(lookup, host, port, within)
    except TimeoutError:
        raise
    except (OSError, UnicodeError):
        raise AddressRefused("The host name has no address.") from None
    if not addresses:
        raise AddressRefused("The host name has no address.")
    for address in addresses:
        if not _may_reach(ipaddress.ip_address(address.partition("%")[0]), plain=url.scheme == "http"):
            raise AddressRefused("The host has an address that is not public.")
    return Target(url, host, port, tuple(addresses))


def _looked_up(lookup: Resolve, host: str, port: int, within: float) -> list[str]:
    """What the resolver returns. Nothing stops the system's own: it runs in a thread that is left behind at the deadline."""
    answered: Future[list[str]] = Future()

    def look_up() -> None:
        try:
            answered.set_result(list(lookup(host, port)))
        except Exception as failed:  # noqa: BLE001 - raised where the result is waited for
            answered.set_exception(failed)

    threading.Thread(target=look_up, daemon=True).start()
    return answered.result(within)


def _may_reach(address: Address, *, plain: bool) -> bool:
    real = _real(address)
    if settings.loopback_webhooks() and real.is_loopback:
        return True
    return not plain and _is_public(real)


@lru_cache(maxsize=1024)
def _is_public(address: Address) -> bool:
    """Whether the address is in none of the special-purpose blocks."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in SPECIAL_IPV4)
    # Outside of global unicast there are only wrapped, local and retired addresses.
    return address in GLOBAL_UNICAST and not any(address in network for network in SPECIAL_IPV6)


def _real(address: Address) -> Address:
    """The IPv4 address that is spoken to by way of an IPv6 one: mapped, or behind the well-known NAT64 prefix."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address


def send(
    delivery: Delivery,
    url: str,
    secrets: Iterable[str],
    lookup: Resolve = resolve,
    deadline: float = DEADLINE_SECONDS,
) -> Attempt:
    """Makes one attempt and says how it went; nothing a receiver does makes this raise."""
    at, started = datetime.now(UTC), time.monotonic()
    code, error = None, None
    try:
        ends = started + deadline
        code = _post(target_of(url, lookup, _left(ends)), delivery, _headers(delivery, secrets, at), ends)
    except AddressRefused as refusal:
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


def _post(target: Target, delivery: Delivery, headers: dict[str, str], ends: float) -> int:
    raw = _connected(target, ends)
    fuse = _Fuse(raw, _left(ends))
    connection = http.client.HTTPConnection(target.host, target.port)
    try:
        connection.sock = raw
        if target.url.scheme == "https":
            connection.sock = ssl.create_default_context().wrap_socket(raw, server_hostname=target.host)
        path = (target.url.path or "/") + (f"?{target.url.query}" if target.url.query else "")
        connection.request("POST", path, body=delivery.payload.encode(), headers=headers)
        with connection.getresponse() as response:
            # Headers that were cut off look like headers that have ended.
            fuse.check()
            return response.status
    except (OSError, http.client.HTTPException):
        fuse.check()
        raise
    finally:
        fuse.stop()
        connection.close()
        raw.close()


def _connected(target: Target, ends: float) -> socket.socket:
    """To the first of the addresses that responds: not every network has a way to every one of them."""
    for address in target.addresses[:-1]:
        try:
            return socket.create_connection((address, target.port), timeout=_left(ends))
        except TimeoutError:
            raise
        except OSError:
            continue
    return socket.create_connection((target.addresses[-1], target.port), timeout=_left(ends))


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Fuse:
    """Ends an exchange from outside: a time-out of the socket's own restarts with each byte that arrives."""

    def __init__(self, connected: socket.socket, seconds: float) -> None:
        # A handle of its own: TLS takes the socket's away.
        self._handle = connected.dup()
        self._blown = False
        self._timer = threading.Timer(seconds, self._blow)
        self._timer.daemon = True
        self._timer.start()

    def _blow(self) -> None:
        self._blown = True
        try:
            self._handle.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it ended by itself a moment before

    def check(self) -> None:
        """Raises ``TimeoutError`` when it was this that ended the exchange."""
        if self._blown:
            raise TimeoutError from None

    def stop(self) -> None:
        self._timer.cancel()
        self._timer.join()
        self._handle.close()
