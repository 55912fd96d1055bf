"""The local issuer: signs the tokens that a Cognito user pool gives out on AWS, and checks them as the API does."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

KEY_ID = "local"
AUDIENCE, SHOP_CLIENT = "orders-local", "shop-local"
"""The client that people sign in by, and a shop's: on AWS two app clients of the user pool."""
SHOP_SCOPE = "orders/shop"
LIFETIME = 12 * 3600.0


class TokenRefused(Exception):
    """The token is missing, malformed, expired, or not one of ours."""


def new_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


class Issuer:
    def __init__(self, issuer: str, pem: str) -> None:
        self.issuer = issuer
        # It is this machine's own, as it was made: to prove its primes again would take a twentieth of a stack's start.
        key = serialization.load_pem_private_key(pem.encode(), password=None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("the local issuer signs with RSA")
        self._private = key
        self._public = key.public_key()
        self._checked: dict[tuple[str, ...], Mapping[str, Any]] = {}

    def jwks(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._public))
        return {"keys": [{**public, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]}

    def token(self, subject: str, groups: Sequence[str] = (), lifetime: float = LIFETIME) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "sub": subject,
            "iss": self.issuer,
            "aud": AUDIENCE,
            "token_use": "id",
            "iat": now,
            "exp": now + int(lifetime),
        }
        if groups:
            claims["cognito:groups"] = list(groups)
        return jwt.encode(claims, self._private, algorithm="RS256", headers={"kid": KEY_ID})

    def shop_token(self, lifetime: float = LIFETIME) -> str:
        """A machine's access token, as Cognito has it: no audience, no groups, and the client for a subject."""
        now = int(time.time())
        claims = {
            "sub": SHOP_CLIENT,
            "iss": self.issuer,
            "client_id": SHOP_CLIENT,
            "token_use": "access",
            "scope": SHOP_SCOPE,
            "version": 2,
            "jti": str(uuid.uuid4()),
            "auth_time": now,
            "iat": now,
            "exp": now + int(lifetime),
        }
        return jwt.encode(claims, self._private, algorithm="RS256", headers={"kid": KEY_ID})

    def claims(self, token: str, audience: Sequence[str]) -> Mapping[str, Any]:
        """The token's claims; a token found good is not looked into again until it expires."""
        known = self._checked.get((token, *audience))
        if known is None or known["exp"] <= time.time():
            known = self._verify(token, audience)
            if len(self._checked) > 1000:
                self._checked.clear()
            self._checked[token, *audience] = known
        return known

    def _verify(self, token: str, audience: Sequence[str]) -> Mapping[str, Any]:
        try:
            if jwt.get_unverified_header(token).get("kid") != KEY_ID:
                raise TokenRefused("the token is signed with another key")
            claims: Mapping[str, Any] = jwt.decode(
                token,
                self._public,
                algorithms=["RS256"],
                issuer=self.issuer,
                # As the API's authorizer does, which asks for no subject: the functions do.
                options={"require": ["exp", "iss"], "verify_aud": False},
            )
            _check_audience(claims, audience)
            return claims
        except jwt.PyJWTError as invalid:
            raise TokenRefused(f"the token is not valid: {invalid}") from invalid


def _check_audience(claims: Mapping[str, Any], audience: Sequence[str]) -> None:
    """The authorizer looks at `client_id` where there is no `aud`, as in Cognito's access tokens."""
    found = claims.get("aud", claims.get("client_id"))
    named = found if isinstance(found, list) else [found]
    if not any(one in audience for one in named):
        raise TokenRefused("the token does not have a valid audience")


def as_gateway(claims: Mapping[str, Any]) -> dict[str, str]:
    """API Gateway hands every claim on as a string, a list as `[a b]`."""
    return {name: _text(value) for name, value in claims.items()}


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{' '.join(map(str, value))}]"
    return value if isinstance(value, str) else json.dumps(value)
