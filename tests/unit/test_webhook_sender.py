"""What the other end of a webhook may do, and what it must not make us do."""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook as Signer

from orders.adapters import webhook_sender
from orders.domain.errors import InvalidArgument
from orders.domain.webhooks import Attempt, Delivery, new_secret
from tests.harness.orders import START

SECRET, OTHER = new_secret(b"a" * 24), new_secret(b"b" * 24)
DELIVERY = Delivery("wh-1", "0197-1", "OrderStatusChanged", '{"type":"OrderStatusChanged","data":{"city":"Köln"}}', START)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
PUBLIC = "93.184.215.14"

Behaviour = Callable[[socket.socket, threading.Event], None]


@dataclass
class Receiver:
    """A server of one behaviour, on loopback; keeps what it was sent."""

    behave: Behaviour
    context: ssl.SSLContext | None = None
    requests: list[bytes] = field(default_factory=list)
    calls: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Receiver":
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.calls += 1
            with suppress(OSError), connection:
                if self.context:
                    with self.context.wrap_socket(connection, server_side=True) as secured:
                        self._answer(secured)
                else:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        received = b""
        while b"\r\n\r\n" not in received or len(received.partition(b"\r\n\r\n")[2]) < _length(received):
            received += connection.recv(65536)
        self.requests.append(received)
        self.behave(connection, self.over)


def _length(request: bytes) -> int:
    head = request.partition(b"\r\n\r\n")[0].lower()
    return next((int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.startswith(b"content-length")), 0)


def says_nothing(_: socket.socket, over: threading.Event) -> None:
    over.wait(120)


def says(answer: bytes) -> Behaviour:
    return lambda connection, _: connection.sendall(answer)


@pytest.fixture
def _laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPBACK_WEBHOOKS", "true")


def sent(receiver: Receiver, deadline: float = 60.0, scheme: str = "http", path: str = "/hook") -> Attempt:
    return webhook_sender.send(DELIVERY, f"{scheme}://127.0.0.1:{receiver.port}{path}", [SECRET], deadline=deadline)


# --- what is sent -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_laptop")
def test_the_payload_is_posted_as_it_is_and_signed_with_every_secret() -> None:
    with Receiver(says(OK)) as receiver:
        attempt = webhook_sender.send(DELIVERY, f"http://127.0.0.1:{receiver.port}/hook?a=b", [SECRET, OTHER])
    assert attempt.succeeded
    assert attempt.status_code == 200
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hook?a=b HTTP/1.1"
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == DELIVERY.delivery_id
    assert body == DELIVERY.payload.encode()
    for secret in (SECRET, OTHER):
        Signer(secret).verify(body, headers)


# --- what receivers do ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_laptop")
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n", 500),
        (b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n", 410),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n", 202),
    ],
)
def test_the_status_is_all_that_counts_of_an_answer(answer: bytes, code: int) -> None:
    with Receiver(says(answer)) as receiver:
        attempt = sent(receiver)
    assert (attempt.status_code, attempt.error) == (code, None)
    assert attempt.succeeded == (code < 300)
    assert attempt.gone == (code == 410)


@pytest.mark.usefixtures("_laptop")
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_not_followed(code: int) -> None:
    with Receiver(says(OK)) as inner:
        redirect = f"HTTP/1.1 {code} Elsewhere\r\nlocation: http://127.0.0.1:{inner.port}/\r\ncontent-length: 0\r\n\r\n"
        with Receiver(says(redirect.encode())) as receiver:
            attempt = sent(receiver)
        assert inner.calls == 0
    assert attempt.status_code == code
    assert not attempt.succeeded


@pytest.mark.usefixtures("_laptop")
def test_a_redirect_to_the_metadata_service_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    spoken_to: list[str] = []
    real = socket.create_connection

    def connect(to: tuple[str, int], timeout: float) -> socket.socket:
        spoken_to.append(to[0])
        return real(to, timeout=timeout)

    monkeypatch.setattr(socket, "create_connection", connect)
    answer = b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest/meta-data/\r\ncontent-length: 0\r\n\r\n"
    with Receiver(says(answer)) as receiver:
        assert sent(receiver).status_code == 302
    assert spoken_to == ["127.0.0.1"]


@pytest.mark.usefixtures("_laptop")
def test_one_that_never_answers_is_given_up_at_the_deadline() -> None:
    with Receiver(says_nothing) as receiver:
        attempt = sent(receiver, deadline=0.3)
    assert (attempt.status_code, attempt.error) == (None, "No answer in time.")
    assert attempt.duration_ms >= 300


def drips(first: bytes, then: bytes) -> Behaviour:
    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(first)
        for _ in range(6000):  # two minutes: who waits for the end gets another error
            if over.wait(0.02):
                return
            connection.sendall(then)

    return behave


@pytest.mark.usefixtures("_laptop")
@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 O", b"K"),
        (b"HTTP/1.1 200 OK\r\nx: ", b"y"),
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status line", "one header", "headers", "continue"],
)
def test_one_that_drips_bytes_has_the_same_deadline_as_all(pieces: tuple[bytes, bytes]) -> None:
    with Receiver(drips(*pieces)) as receiver:
        attempt = sent(receiver, deadline=0.4)
    assert (attempt.status_code, attempt.error) == (None, "No answer in time.")


@pytest.mark.usefixtures("_laptop")
def test_an_answer_that_never_ends_is_not_waited_for() -> None:
    with Receiver(drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x")) as receiver:
        attempt = sent(receiver)
    assert attempt.status_code == 200
    assert attempt.duration_ms < 60_000, "it ended before its deadline"


@pytest.mark.usefixtures("_laptop")
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n",
        b"y" * 70_000,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"",
    ],
    ids=["one huge header", "many headers", "huge status line", "not http", "no status", "nothing"],
)
def test_nonsense_is_a_failed_connection(answer: bytes) -> None:
    with Receiver(says(answer)) as receiver:
        attempt = sent(receiver)
    assert (attempt.status_code, attempt.error) == (None, "The connection failed.")


@pytest.mark.usefixtures("_laptop")
def test_nobody_there_is_a_failed_connection() -> None:
    with Receiver(says(OK)) as receiver:
        pass
    assert sent(receiver).error == "The connection failed."


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost and its key, in one file, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    private = serialization.PrivateFormat.PKCS8
    pem = serialization.Encoding.PEM
    path.write_bytes(key.private_bytes(pem, private, serialization.NoEncryption()) + made.public_bytes(pem))
    return path


@pytest.fixture
def secured(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def _trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl, "create_default_context", lambda: _trusting(certificate))


def _trusting(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificate)
    return context


@pytest.mark.usefixtures("_laptop", "_trusted")
def test_over_tls_the_name_is_verified_and_the_answer_counts(secured: ssl.SSLContext) -> None:
    with Receiver(says(OK), secured) as receiver:
        attempt = webhook_sender.send(DELIVERY, f"https://localhost:{receiver.port}/", [SECRET], lambda *_: ["127.0.0.1"])
        wrong = webhook_sender.send(DELIVERY, f"https://other.test:{receiver.port}/", [SECRET], lambda *_: ["127.0.0.1"])
    assert attempt.succeeded
    assert wrong.error == "The TLS handshake failed."
    assert len(receiver.requests) == 1, "nothing is sent to whom the certificate does not name"


@pytest.mark.usefixtures("_laptop")
def test_a_certificate_nobody_vouches_for_is_refused(secured: ssl.SSLContext) -> None:
    with Receiver(says(OK), secured) as receiver:
        assert sent(receiver, scheme="https").error == "The TLS handshake failed."
    assert receiver.requests == []


@pytest.mark.usefixtures("_laptop", "_trusted")
def test_dripping_over_tls_has_the_same_deadline(secured: ssl.SSLContext) -> None:
    with Receiver(drips(b"HTTP/1.1 200 OK\r\nx: ", b"y"), secured) as receiver:
        attempt = webhook_sender.send(
            DELIVERY, f"https://localhost:{receiver.port}/", [SECRET], lambda *_: ["127.0.0.1"], deadline=0.4
        )
    assert (attempt.status_code, attempt.error) == (None, "No answer in time.")


@pytest.mark.usefixtures("_laptop", "_trusted")
def test_a_handshake_that_never_ends_has_the_same_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        attempt = webhook_sender.send(DELIVERY, f"https://127.0.0.1:{port}/", [SECRET], deadline=0.3)
    assert attempt.error == "No answer in time."


# --- where nothing is ever sent ---------------------------------------------------------------------------------------

PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",  # noqa: S104 - what is not to be spoken to
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "192.0.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:7f00:1",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1",
    "2002:a00:1::1",
    "2002:a9fe:a9fe::1",
    "2001:0:5ef5:79fb:0:0:f5ff:fffe",  # Teredo, of 10.0.0.1
]


# IANA's special-purpose address registries (RFC 6890 and what came after), whether or not it calls a block globally reachable,
# and multicast. https://www.iana.org/assignments/iana-ipv4-special-registry, .../iana-ipv6-special-registry
REGISTRY = """
0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.0.0/29 192.0.0.8/32
192.0.0.9/32 192.0.0.10/32 192.0.0.170/32 192.0.0.171/32 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24
192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 255.255.255.255/32
::1/128 ::/128 ::/96 ::ffff:0:0:0/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001::/32 2001:1::1/128 2001:1::2/128
2001:1::3/128 2001:2::/48 2001:3::/32 2001:4:112::/48 2001:10::/28 2001:20::/28 2001:30::/28 2001:db8::/32 2002::/16
2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8
""".split()  # noqa: SIM905 - an address a line would take four screens
BESIDE = """
1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255
172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.31.195.255 192.31.197.0 192.52.192.255 192.52.194.0 192.88.98.255
192.88.100.0 192.167.255.255 192.169.0.0 192.175.47.255 192.175.49.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0
203.0.112.255 203.0.114.0 223.255.255.255 2000:: 2001:200:: 2001:db7:ffff:ffff:ffff:ffff:ffff:ffff 2001:db9:: 2003::
2620:4f:7fff:ffff:ffff:ffff:ffff:ffff 2620:4f:8001:: 3ffe:: 3fff:1000:: 3fff:ffff::
""".split()  # noqa: SIM905 - an address a line would take four screens


def ends_of(block: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The first, a middle and the last address of a block; for a block of IPv4 as it is mapped and translated, too."""
    network = ipaddress.ip_network(block)
    found: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = [network[0], network[network.num_addresses // 2], network[-1]]
    wrapped = [
        ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | int(address))
        for prefix in ("::ffff:0:0", "64:ff9b::", "::", "64:ff9b:1::")
        for address in found
        if network.version == 4
    ]
    return found + wrapped + [ipaddress.IPv6Address((0x2002 << 112) | int(a) << 80) for a in found if network.version == 4]


@pytest.fixture
def _python_has_no_opinion(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Python's own tables say changes from release to release."""
    for kind in (ipaddress.IPv4Address, ipaddress.IPv6Address):
        for name in ("is_global", "is_private", "is_reserved"):
            monkeypatch.setattr(kind, name, property(lambda _: pytest.fail("Python's own table decides")))


@pytest.mark.usefixtures("_python_has_no_opinion")
@pytest.mark.parametrize("block", REGISTRY)
def test_no_block_with_a_purpose_of_its_own_is_spoken_to(block: str) -> None:
    for address in ends_of(block):
        with pytest.raises(webhook_sender.AddressRefused):
            webhook_sender.target_of("https://receiver.test/", lambda *_, a=address: [str(a)])
        host = f"[{address}]" if address.version == 6 else str(address)
        with pytest.raises(InvalidArgument):
            webhook_sender.check_url(f"https://{host}/")


@pytest.mark.usefixtures("_python_has_no_opinion")
@pytest.mark.parametrize("address", BESIDE)
def test_what_lies_beside_such_a_block_is_spoken_to(address: str) -> None:
    assert webhook_sender.target_of("https://receiver.test/", lambda *_: [address]).addresses == (address,)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_of_ours_is_refused(address: str) -> None:
    with pytest.raises(webhook_sender.AddressRefused):
        webhook_sender.target_of("https://receiver.test/", lambda *_: [address])
    with pytest.raises(webhook_sender.AddressRefused):
        webhook_sender.target_of("https://receiver.test/", lambda *_: [PUBLIC, address])


@pytest.mark.parametrize("address", [*(a for a in PRIVATE if "%" not in a), "localhost", "fe80::1%25eth0"])
def test_an_address_of_ours_is_refused_from_the_start(address: str) -> None:
    if address == "localhost":
        assert webhook_sender.send(DELIVERY, "https://localhost/", [SECRET], lambda *_: ["127.0.0.1"]).error
        return
    host = f"[{address}]" if ":" in address else address
    for port in ("", ":8443"):
        with pytest.raises(InvalidArgument):
            webhook_sender.check_url(f"https://{host}{port}/hook")


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "10.1", "[::ffff:127.0.0.1]"])
def test_an_address_in_disguise_is_refused(host: str) -> None:
    with pytest.raises(InvalidArgument):
        webhook_sender.check_url(f"https://{host}/")


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f:cb07::1", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"])
def test_a_public_address_is_spoken_to(address: str) -> None:
    assert webhook_sender.target_of("https://receiver.test:8443/x", lambda *_: [address]).addresses == (address,)


def test_the_address_that_was_checked_is_the_one_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([[PUBLIC], ["169.254.169.254"], ["169.254.169.254"]])
    spoken_to: list[str] = []

    def connect(to: tuple[str, int], **_: object) -> socket.socket:
        spoken_to.append(to[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("it was resolved a second time"))
    attempt = webhook_sender.send(DELIVERY, "https://rebinding.test/", [SECRET], lambda *_: next(answers))
    assert spoken_to == [PUBLIC]
    assert attempt.error == "The connection failed."
    # The next attempt resolves anew, and refuses.
    assert webhook_sender.send(DELIVERY, "https://rebinding.test/", [SECRET], lambda *_: next(answers)).error
    assert spoken_to == [PUBLIC]


def test_the_next_address_is_tried_where_there_is_no_way_to_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    spoken_to: list[str] = []

    def connect(to: tuple[str, int], **_: object) -> socket.socket:
        spoken_to.append(to[0])
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", connect)
    webhook_sender.send(DELIVERY, "https://receiver.test/", [SECRET], lambda *_: ["2606:2800:21f:cb07::1", PUBLIC])
    assert spoken_to == ["2606:2800:21f:cb07::1", PUBLIC]


def test_a_resolver_that_hangs_is_left_at_the_deadline() -> None:
    released, finished = threading.Event(), threading.Event()

    def hangs(*_: object) -> list[str]:
        released.wait(30)
        finished.set()
        return [PUBLIC]

    attempt = webhook_sender.send(DELIVERY, "https://slow.test/", [SECRET], hangs, deadline=0.05)
    assert not finished.is_set(), "the resolver was waited for"
    released.set()
    assert (attempt.status_code, attempt.error) == (None, "No answer in time.")


def test_the_resolver_s_time_is_taken_off_the_connection_s(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, given = [1000.0], []

    def slow(*_: object) -> list[str]:
        clock[0] += 8
        return [PUBLIC]

    def connect(_: tuple[str, int], timeout: float) -> socket.socket:
        given.append(timeout)
        raise ConnectionRefusedError

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(socket, "create_connection", connect)
    attempt = webhook_sender.send(DELIVERY, "https://slow.test/", [SECRET], slow, deadline=10)
    assert (given, attempt.duration_ms) == ([2.0], 8000)


def test_a_name_without_an_address_is_refused() -> None:
    def unknown(*_: object) -> list[str]:
        raise socket.gaierror

    why = "The host name has no address."
    assert webhook_sender.send(DELIVERY, "https://nobody.test/", [SECRET], unknown).error == why
    assert webhook_sender.send(DELIVERY, "https://nobody.test/", [SECRET], lambda *_: []).error == why
    assert webhook_sender.send(DELIVERY, f"https://{'a' * 64}.test/", [SECRET]).error == why


@pytest.mark.parametrize(
    "url",
    [
        "http://receiver.test/",
        "ftp://receiver.test/",
        "https://",
        "https:///hook",
        "receiver.test",
        "",
        "https://user:secret@receiver.test/",
        "https://receiver.test:0/",
        "https://receiver.test:99999/",
        "https://receiver.test:x/",
        "https://[::1",
        "https://receiver.test/a b",
        "https://receiver.test/\r\nx: y",
        "https://empfänger.test/",
        "file:///etc/passwd",
        "http://127.0.0.1/",
        "http://localhost/",
    ],
)
def test_what_is_no_public_https_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgument):
        webhook_sender.check_url(url)


@pytest.mark.usefixtures("_laptop")
def test_a_laptop_takes_http_to_itself_and_nothing_else_private() -> None:
    for url in ("http://127.0.0.1:4000/", "http://localhost:4000/", "http://[::1]:4000/", "https://127.0.0.1/"):
        assert webhook_sender.check_url(url)
    for url in (
        "http://receiver.test/",
        f"http://{PUBLIC}/",
        "http://10.0.0.1/",
        "https://192.168.0.1/",
        "http://169.254.169.254/",
    ):
        with pytest.raises(InvalidArgument):
            webhook_sender.check_url(url)
    for address in ("10.0.0.1", "169.254.169.254", PUBLIC):
        with pytest.raises(webhook_sender.AddressRefused):
            webhook_sender.target_of("http://localhost/", lambda *_, address=address: [address])
