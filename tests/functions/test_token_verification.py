"""The routes that verify bearer tokens themselves take exactly what API Gateway's authorizer would take."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from orders.web import identity
from tests.harness.caches import forget
from tests.harness.world import AUDIENCE, CUSTOMER, ISSUER, SHOP, STRANGER, Answer, World

ROUTE = "GET /orders/{id}/status"
KEY_ID = "key-1"


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem() -> bytes:
    return key("ours").public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(autouse=True)
def _issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The issuer's key set, as it would be fetched."""
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key("ours").public_key()))
    keys = {"keys": [{**public, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]}
    forget(identity)
    monkeypatch.setattr(jwt.PyJWKClient, "fetch_data", lambda self: keys)
    yield
    forget(identity)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {"sub": CUSTOMER, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 600}
    return {name: value for name, value in (usual | changes).items() if value is not None}


def signed(header: dict[str, Any] | None = None, by: str = "ours", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key(by), algorithm="RS256", headers={"kid": KEY_ID} | (header or {}))


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def hand_made(header: dict[str, Any], signature: str = "") -> str:
    return f"{part({'typ': 'JWT', 'kid': KEY_ID} | header)}.{part(claims())}.{signature}"


def get(world: World, authorization: str | None, **more: Any) -> Answer:
    headers = {"authorization": authorization} if authorization is not None else {}
    return world.http(ROUTE, "order-1", by=None, headers=headers, **more)


@pytest.fixture
def order(world: World) -> World:
    world.place()
    return world


def test_an_owner_is_let_in(order: World) -> None:
    assert get(order, f"Bearer {signed()}").status == 200


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
def test_the_scheme_may_be_written_in_any_case(order: World, scheme: str) -> None:
    assert get(order, f"{scheme} {signed()}").status == 200


def test_a_stranger_is_known_and_refused(order: World) -> None:
    assert get(order, f"Bearer {signed(sub=STRANGER)}").status == 403


@pytest.mark.parametrize(
    ("groups", "status"),
    [
        (["support"], 200),
        (["admin"], 200),
        (["carrier"], 403),
        (["SUPPORT"], 403),
        (["IT support"], 403),
        (["[support]"], 403),
        (["x,support"], 403),
        ([["support"]], 403),
        ("support", 403),
        ("[support]", 403),
    ],
)
def test_groups_open_what_they_open(order: World, groups: Any, status: int) -> None:
    token = jwt.encode(claims(sub="grace") | {"cognito:groups": groups}, key("ours"), "RS256", headers={"kid": KEY_ID})
    assert get(order, f"Bearer {token}").status == status


def test_the_claim_that_lists_groups_may_have_another_name(order: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUPS_CLAIM", "https://example.com/roles")
    for name, status in (("https://example.com/roles", 200), ("cognito:groups", 403), ("groups", 403)):
        token = jwt.encode(claims(sub="grace") | {name: ["support"]}, key("ours"), "RS256", headers={"kid": KEY_ID})
        assert get(order, f"Bearer {token}").status == status


def test_an_audience_may_be_one_of_several_or_the_client(order: World) -> None:
    assert get(order, f"Bearer {signed(aud=['other', AUDIENCE])}").status == 200
    assert get(order, f"Bearer {signed(aud=None, client_id=AUDIENCE)}").status == 200


def test_a_shop_is_known_by_its_client_and_its_scope(order: World) -> None:
    token: dict[str, Any] = {"aud": None, "client_id": SHOP, "token_use": "access"}
    assert get(order, f"Bearer {signed(sub=SHOP, scope='orders/shop', **token)}").status == 200
    assert get(order, f"Bearer {signed(sub=None, scope='orders/shop', **token)}").status == 200
    assert get(order, f"Bearer {signed(sub=SHOP, scope='orders/read', **token)}").status == 403
    assert get(order, f"Bearer {signed(sub='other', scope='orders/shop', **token | {'client_id': 'other'})}").status == 401


def _hs256_with_the_public_key() -> str:
    import hmac  # noqa: PLC0415 - what a forger does is nobody else's business

    head, body = part({"typ": "JWT", "alg": "HS256", "kid": KEY_ID}), part(claims())
    digest = hmac.digest(public_pem(), f"{head}.{body}".encode(), "sha256")
    return f"{head}.{body}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _tampered() -> str:
    head, _, signature = signed(sub=STRANGER).split(".")
    return f"{head}.{part(claims())}.{signature}"


FORGED: dict[str, Callable[[], str]] = {
    "alg none": lambda: hand_made({"alg": "none"}),
    "alg None": lambda: hand_made({"alg": "None"}, "x"),
    "HS256 with the public key": _hs256_with_the_public_key,
    "another key": lambda: signed(by="theirs"),
    "an unknown key id": lambda: signed({"kid": "key-2"}),
    "no key id": lambda: jwt.encode(claims(), key("ours"), algorithm="RS256"),
    "an embedded key": lambda: signed(
        {"jwk": json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key("theirs").public_key()))}, by="theirs"
    ),
    "PS256": lambda: jwt.encode(claims(), key("ours"), algorithm="PS256", headers={"kid": KEY_ID}),
    "another's claims": _tampered,
    "expired": lambda: signed(exp=int(time.time()) - 1),
    "no expiry": lambda: signed(exp=None),
    "not yet": lambda: signed(nbf=int(time.time()) + 600),
    "another issuer": lambda: signed(iss="https://evil.test"),
    "an issuer like ours": lambda: signed(iss=ISSUER + "/"),
    "no issuer": lambda: signed(iss=None),
    "another audience": lambda: signed(aud="other"),
    "no audience": lambda: signed(aud=None),
    "an empty audience": lambda: signed(aud=[]),
    "another client": lambda: signed(aud=None, client_id="other"),
    "no subject": lambda: signed(sub=None),
    "an empty subject": lambda: signed(sub=""),
    "a subject that is no text": lambda: signed(sub=7),
    "no signature": lambda: signed().rpartition(".")[0] + ".",
    "two parts": lambda: signed().rpartition(".")[0],
    "nonsense": lambda: "nonsense",
    "dots": lambda: "..",
    "not base64": lambda: "é.é.é",
    "a huge token": lambda: "a" * 100_000,
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_token_is_refused(order: World, kind: str) -> None:
    answer = get(order, f"Bearer {FORGED[kind]()}")
    assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Token x"])
def test_who_brings_no_token_is_nobody(order: World, authorization: str | None) -> None:
    assert get(order, authorization).status == 401


def test_a_refusal_says_nothing_of_why(order: World) -> None:
    details = {get(order, f"Bearer {FORGED[kind]()}").body["detail"] for kind in ("expired", "another key", "nonsense")}
    assert len(details) == 1


def test_a_key_set_that_cannot_be_fetched_is_our_fault_and_passes(order: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(self: object) -> None:
        raise jwt.PyJWKClientConnectionError("no route to host")

    forget(identity)
    monkeypatch.setattr(jwt.PyJWKClient, "fetch_data", unreachable)
    answer = get(order, f"Bearer {signed()}")
    assert (answer.status, answer.code) == (503, "UNAVAILABLE")
    assert "host" not in answer.text
