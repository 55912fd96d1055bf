"""Who is calling, where API Gateway does not say: the routes that tracking links open verify bearer tokens themselves."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import jwt

from orders import settings
from orders.domain.errors import IssuerUnavailable, Unauthenticated
from orders.web.callers import Principal

ALGORITHMS = ["RS256"]


@cache
def _keys() -> jwt.PyJWKClient:
    return jwt.PyJWKClient(settings.jwks_url(), cache_keys=True, lifespan=3600, timeout=3)


def caller_of(event: Mapping[str, Any]) -> Principal | None:
    """The caller whose bearer token the request carries; ``None`` when it carries none.

    Raises:
        Unauthenticated: the token is forged, expired, or not from our issuer for our audience.
        IssuerUnavailable: the issuer's keys cannot be fetched.
    """
    scheme, _, token = (event.get("headers") or {}).get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return None
    try:
        key = _keys().get_signing_key_from_jwt(token)
        claims = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            issuer=settings.jwt_issuer(),
            options={"require": ["exp", "iss"], "verify_aud": False},
        )
    except jwt.PyJWKClientConnectionError:
        raise IssuerUnavailable("The token cannot be checked at the moment.") from None
    except (jwt.PyJWTError, jwt.PyJWKClientError):
        raise Unauthenticated("The bearer token is not valid.") from None
    # Cognito's access tokens name their client in client_id, not in aud; API Gateway takes either, and so does this.
    audience = claims.get("aud", claims.get("client_id"))
    named = audience if isinstance(audience, list) else [audience]
    if settings.jwt_audiences().isdisjoint(named):
        raise Unauthenticated("The bearer token is for another service.")
    return Principal.from_claims(claims)
