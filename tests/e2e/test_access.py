"""Who gets where: every role on every route, and every way to pretend to be somebody."""

import base64
import hashlib
import hmac
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from orders.web.routes import ROUTES, Route, Who
from tests.harness.bodies import a_body
from tests.harness.stacks import Api, Deployment, Served, assert_gateway

ROLES: dict[str, tuple[str, ...]] = {
    "nobody": (),
    "owner": (),
    "stranger": (),
    "support": ("support",),
    "admin": ("admin",),
    "carrier": ("carrier",),
    "warehouse": ("warehouse",),
    "shop": ("shop",),
    "support and carrier": ("support", "carrier"),
}
MATCHED = [route for route in ROUTES.values() if not route.is_page]
GUARDED = [route for route in MATCHED if not route.who & {Who.ANYONE, Who.SIGNED}]
OF_ONE_ORDER = "/orders/{id}"


def may(role: str, route: Route) -> bool:
    """Who may (``docs/behavior.md#callers``): derived a second time, so that the product's own check is checked."""
    who = set(route.who)
    if Who.ANYONE in who:
        return True
    if role == "owner":
        return Who.OWNER in who or Who.CUSTOMER in who
    if role == "stranger":
        return Who.CUSTOMER in who
    return bool(who & {Who(group) for group in ROLES[role]})


def api_of(stack: Deployment, role: str) -> Api:
    if role == "nobody":
        return stack.anybody
    if role == "shop":
        return stack.shop
    return stack.as_("owner" if role == "owner" else f"a-{role[:3]}", *ROLES[role])


@pytest.fixture(scope="module")
def apis(swift: Deployment) -> dict[str, Api]:
    """The API as each role has it: a token is signed once."""
    return {role: api_of(swift, role) for role in ROLES}


@pytest.fixture(scope="module")
def order_id(swift: Deployment) -> str:
    """An order that is over, so that hardly any request changes it."""
    found: str = swift.as_("owner").place()["order"]["order_id"]
    swift.as_("owner").until_over(found)
    return found


def filled(route: Route, order_id: str) -> str:
    """The route's path, leading to that order, or to something that is not there."""
    names = {
        "id": order_id if route.path.startswith(OF_ONE_ORDER) else "no-such-thing",
        "carrier": "generic",
        "provider": "stripe",
    }
    return re.sub(r"{(\w+)}", lambda found: names.get(found[1], "x"), route.path)


BODIES: dict[str, Any] = {
    "placeOrder": a_body(),
    "changeAddress": a_body()["shipping_address"],
    "setStatus": {"status": "SHIPPED"},
    "setLocation": {"location": "Utrecht"},
    "requestReturn": {"items": [{"line_id": "1", "quantity": 1}]},
    "receiveReturn": {"items": [{"line_id": "1", "quantity": 1, "condition": "resellable"}]},
    "putProduct": {"name": "Nothing", "unit_price": {"amount": 1, "currency": "USD"}, "stock": 0},
    "addWebhook": {"url": "https://example.com/hook"},
}


def answered(api: Api, route: Route, order_id: str, **headers: str) -> httpx.Response:
    body = BODIES.get(route.operation, {}) if route.body else None
    return api.call(route.method, filled(route, order_id), body, **headers)


def ask(api: Api, route: Route, order_id: str, **headers: str) -> int:
    return answered(api, route, order_id, **headers).status_code


def assert_refused(answer: httpx.Response, route: Route, status: int) -> None:
    """Nobody's 401 is the gateway's own where it verifies the token; every other refusal is the function's problem."""
    if status == 401 and not route.who & {Who.SIGNED, Who.TRACKING_LINK}:
        assert_gateway(answer, 401)
        return
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED"}[status]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", MATCHED, ids=lambda route: route.key)
def test_every_role_on_every_route(apis: dict[str, Api], order_id: str, route: Route, role: str) -> None:
    answer = answered(apis[role], route, order_id)
    if Who.SIGNED in route.who:
        assert_refused(answer, route, 401)  # a role is no signature
    elif may(role, route):
        assert answer.status_code not in (401, 403), f"{role} may {route.key}"
        assert answer.status_code < 500
    else:
        assert_refused(answer, route, 401 if role == "nobody" else 403)


# --- tokens that are none ---


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forge(header: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """A token as an attacker would write it, with no library to object."""
    signed = f"{_part(header)}.{_part(claims)}"
    return f"{signed}.{base64.urlsafe_b64encode(sign(signed.encode())).rstrip(b'=').decode()}"


OWN_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def forgeries(good: str, public: bytes) -> Iterator[tuple[str, str]]:
    """Tokens that say what a good one says, and are none; ``public`` is the issuer's own key as everybody can read it."""
    header, claims = jwt.get_unverified_header(good), jwt.decode(good, options={"verify_signature": False})
    head, body, signature = good.split(".")
    own = OWN_KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    yield "not signed", f"{head}.{body}."
    yield "another body", f"{head}.{_part(claims | {'cognito:groups': ['support', 'admin']})}.{signature}"
    yield "half a signature", f"{head}.{body}.{signature[: len(signature) // 2]}"
    for name in ("none", "None", "NONE", "nOnE"):
        yield f"alg {name}", f"{_part(header | {'alg': name})}.{body}."
        yield f"alg {name}, with the signature", f"{_part(header | {'alg': name})}.{body}.{signature}"
    for name, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512)):
        hashed = forge(header | {"alg": name}, claims, lambda text, by=digest: hmac.digest(public, text, by))  # type: ignore[misc]
        yield f"{name} with the public key", hashed
        yield f"{name} with nothing", forge(header | {"alg": name}, claims, lambda text, by=digest: hmac.digest(b"", text, by))  # type: ignore[misc]
    yield "another key", jwt.encode(claims, own, algorithm="RS256", headers={"kid": header["kid"]})
    yield "another key, by another name", jwt.encode(claims, own, algorithm="RS256", headers={"kid": "mine"})
    yield "another key, without a name", jwt.encode(claims, own, algorithm="RS256")
    own_jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(OWN_KEY.public_key()))
    yield (
        "another key, brought along",
        jwt.encode(claims, own, algorithm="RS256", headers={"kid": header["kid"], "jwk": own_jwk}),
    )
    yield (
        "another key, from elsewhere",
        jwt.encode(claims, own, algorithm="RS256", headers={"kid": header["kid"], "jku": "http://127.0.0.1:9/jwks.json"}),
    )
    yield "a way out of the folder for a key", jwt.encode(claims, own, algorithm="RS256", headers={"kid": "../../dev/null"})
    for nonsense in ("x", "a.b", "a.b.c", "..", "Bearer", f"{head}.{body}.{signature}.{signature}"):
        yield f"nonsense: {nonsense[:10]}", nonsense


def misused(stack: Deployment, secret: rsa.RSAPrivateKey) -> Iterator[tuple[str, str]]:
    """Signed by the right key, which no attacker has, and still not for here and now."""
    now, issuer = int(time.time()), stack.url
    good = {
        "sub": "owner",
        "iss": issuer,
        "aud": "orders-local",
        "iat": now,
        "exp": now + 600,
        "cognito:groups": ["support", "admin"],
    }
    changes: dict[str, dict[str, Any]] = {
        "expired": {"exp": now - 60},
        "expired long ago": {"exp": 1},
        "not yet valid": {"nbf": now + 600},
        "another issuer": {"iss": "https://elsewhere.example"},
        "an issuer that begins like ours": {"iss": f"{issuer}.elsewhere.example"},
        "another audience": {"aud": "somebody-else"},
        "several audiences, none of them ours": {"aud": ["a", "b"]},
        "an end that is no number": {"exp": "never"},
    }
    for name, change in changes.items():
        yield name, jwt.encode(good | change, secret, algorithm="RS256", headers={"kid": "local"})
    for name in ("exp", "iss", "aud", "sub"):
        claims = {key: value for key, value in good.items() if key != name}
        yield f"without {name}", jwt.encode(claims, secret, algorithm="RS256", headers={"kid": "local"})


def public_key_of(stack: Deployment) -> bytes:
    (key,) = stack.http.get("/.local/jwks.json").json()["keys"]
    public = jwt.algorithms.RSAAlgorithm.from_jwk(key)
    assert isinstance(public, rsa.RSAPublicKey)
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def refused_everywhere(stack: Deployment, order_id: str, tokens: Iterator[tuple[str, str]], routes: list[Route]) -> list[str]:
    return [
        f"{name} opens {route.key}: {status}"
        for name, token in tokens
        for route in routes
        if (status := ask(stack.anybody, route, order_id, authorization=f"Bearer {token}")) != 401
    ]


def test_a_forged_token_opens_nothing(local_swift: Served, order_id: str) -> None:
    good, public = local_swift.sign("owner", ["support", "admin", "carrier"]), public_key_of(local_swift)
    assert refused_everywhere(local_swift, order_id, forgeries(good, public), GUARDED) == []


def test_a_token_that_is_not_for_here_and_now_opens_nothing(keyed: tuple[Deployment, rsa.RSAPrivateKey]) -> None:
    stack, key = keyed
    order_id = stack.as_("owner").place()["order"]["order_id"]
    assert refused_everywhere(stack, order_id, misused(stack, key), GUARDED) == []


@pytest.mark.parametrize("value", ["Basic b3duZXI6eA==", "Digest x", "bearer", "Token x", "Bearer a b"])
@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.key)
def test_another_kind_of_credentials_opens_nothing(swift: Deployment, order_id: str, route: Route, value: str) -> None:
    assert_refused(answered(swift.anybody, route, order_id, authorization=value), route, 401)


# --- tracking links ---


def test_a_tracking_link_opens_its_own_order_s_page_and_status_and_nothing_else(swift: Deployment, order_id: str) -> None:
    own = swift.as_("owner").order(order_id)["tracking_url"].partition("?token=")[2]
    other: str = swift.as_("owner").place()["order"]["order_id"]
    opened = set()
    for route in MATCHED:
        if route.who & {Who.ANYONE, Who.SIGNED}:
            continue
        for target in (order_id, other):
            body = BODIES.get(route.operation, {}) if route.body else None
            answer = swift.anybody.call(route.method, f"{filled(route, target)}?token={own}", body)
            if answer.status_code not in (401, 403):
                opened.add((route.key, target))
            bearing = ask(swift.anybody, route, target, authorization=f"Bearer {own}")
            assert bearing == 401, f"as a bearer token it opens {route.key}"
    assert opened == {("GET /orders/{id}/status", order_id), ("GET /orders/{id}/status/stream", order_id)}


def test_a_tracking_link_cannot_be_made_up(swift: Deployment, order_id: str) -> None:
    own = swift.as_("owner").order(order_id)["tracking_url"].partition("?token=")[2]
    other: str = swift.as_("owner").place()["order"]["order_id"]
    payload, _, signature = own.partition(".")
    cursor = swift.as_("owner").get("/orders?limit=1").json()["next_cursor"]
    stolen = _part([other, int(time.time()) + 10_000])
    for token in (
        "",
        "x",
        payload,
        f"{payload}.",
        f".{signature}",
        f"{stolen}.{signature}",
        f"{payload}.{signature[:-1]}",
        cursor,
    ):
        for path in (f"/orders/{other}/status", f"/orders/{other}/status/stream", f"/orders/{order_id}/status"):
            status = swift.http.get(path, params={"token": token}).status_code
            assert status in (401, 403), f"{token!r} opens {path}"


def test_a_link_does_not_tell_whether_an_order_is_there(swift: Deployment, order_id: str) -> None:
    own = swift.as_("owner").order(order_id)["tracking_url"].partition("?token=")[2]
    assert swift.http.get(f"/orders/{uuid.uuid4()}/status", params={"token": own}).status_code == 403
