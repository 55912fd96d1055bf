"""HTTP handling: a request arrives as API Gateway's event and is authorized by the route table; every refusal has
one shape, ``application/problem+json`` (RFC 9457).
"""

import json
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from orders import logs
from orders.domain import digests, limits
from orders.domain.digests import KeyedCall
from orders.domain.errors import (
    IllegalTransition,
    InvalidArgument,
    OrderError,
    PayloadTooLarge,
    PermissionDenied,
    Unauthenticated,
)
from orders.domain.identifiers import CustomerId, OrderId
from orders.web.callers import Principal
from orders.web.routes import ROUTES, Route, Who
from orders.web.views import Audience

logger = logs.logger()

RETRY_AFTER_SECONDS = 1
if TYPE_CHECKING:
    from orders.web.responses import ProblemView
    from orders.web.texts import Body

REPLAYED = {"idempotent-replayed": "true"}
"""The header of a response to a repetition of a request."""
DEPRECATED_SINCE = "@1735689600"
"""When ``PAID`` and ``COMPLETED`` were given up (RFC 9745): 2025-01-01."""

LONGEST_NAME = 100
"""Of an unknown query parameter, as far as a refusal repeats it, in characters."""
MOST_PROBLEMS = 20

SECURITY_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "strict-transport-security": "max-age=31536000",
}


Answer = dict[str, Any]
Model = TypeVar("Model", bound="Body")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, of a caller who may use the route at all."""

    route: Route
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    principal: Principal | None

    @classmethod
    def of(cls, event: Mapping[str, Any], principal: Principal | None = None) -> "Request":
        """The request an HTTP API event (payload 2.0) holds."""
        body = event.get("body") or ""
        headers = event.get("headers") or {}
        claims = event["requestContext"].get("authorizer", {}).get("jwt", {}).get("claims")
        return cls(
            route=ROUTES[event["routeKey"]],
            path=event.get("pathParameters") or {},
            query=event.get("queryStringParameters") or {},
            headers=headers,
            body=b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass"),
            principal=Principal.from_authorizer(claims, headers) if claims else principal,
        )

    @property
    def caller(self) -> Principal:
        """The signed-in caller; raises ``Unauthenticated`` when there is none."""
        if self.principal is None:
            raise Unauthenticated("Send a bearer token.")
        return self.principal

    @property
    def audience(self) -> Audience:
        """The view of orders that the caller gets."""
        if self.caller.is_staff:
            return Audience.STAFF
        return Audience.CARRIER if self.caller.groups & {Who.CARRIER, Who.WAREHOUSE} else Audience.OWNER

    @property
    def order_id(self) -> OrderId:
        """The order the path names; raises ``InvalidArgument`` for what cannot be an order's id."""
        return OrderId(self._id(limits.ORDER_ID))

    @property
    def product_id(self) -> str:
        """The product that the path names, or the query; raises ``InvalidArgument`` for what cannot be a product's id."""
        if "id" not in self.path:
            return self.foreign_id("product_id") or _missing("product_id")
        text = self.path["id"]
        if limits.UNROUTED & set(text):
            raise InvalidArgument.of("id", "has / ? or #: name it by the query, /products?product_id=")
        return _foreign_id("id", text)

    @property
    def shipment_id(self) -> str:
        """The parcel the path names: compared and nothing else, as the warehouse may have given it its id."""
        return self.path.get("shipment_id", "")

    @property
    def refund_id(self) -> str:
        """The refund the path names: compared and nothing else."""
        return self.path.get("refund_id", "")

    @property
    def webhook_id(self) -> str:
        """The webhook the path names; raises ``InvalidArgument`` for what cannot be a webhook's id."""
        return self._id(limits.ORDER_ID)

    @property
    def delivery_id(self) -> str:
        """The delivery the path names; raises ``InvalidArgument`` for what cannot be a delivery's id."""
        return self._id(limits.ORDER_ID, "delivery_id")

    def _id(self, pattern: str, name: str = "id") -> str:
        text = self.path.get(name, "")
        if not re.fullmatch(pattern, text):
            raise InvalidArgument.of(name, "must begin with a letter or digit, followed by at most 63 letters, digits, . _ -")
        return text

    @property
    def idempotency_key(self) -> str | None:
        """The caller's ``Idempotency-Key``; raises ``InvalidArgument`` for what cannot be one."""
        key = self.headers.get("idempotency-key")
        if key is not None and not re.fullmatch(limits.IDEMPOTENCY_KEY, key):
            raise InvalidArgument.of("Idempotency-Key", "must have 1 to 255 printable characters")
        return key

    @property
    def call(self) -> KeyedCall | None:
        """The request as it is recorded under its idempotency key, if it has one; its body has been parsed by then."""
        if (key := self.idempotency_key) is None:
            return None
        path = self.route.path.format(**self.path)
        if "product_id" in self.query:
            path = f"{path}?product_id={self.query['product_id']}"
        return digests.of_call(self.caller.actor.by, path, key, json.loads(self.body or b"{}"))

    @property
    def if_match(self) -> int | None:
        """The version the caller wants to change, if they said so."""
        text = self.headers.get("if-match", "").strip()
        if text in ("", "*"):
            return None
        # Some clients lose an ETag's quotes on the way; the version is as good without them.
        found = re.fullmatch(r'(?:W/)?("?)([0-9]{1,18})\1', text)
        if not found:
            raise InvalidArgument.of("If-Match", 'must be a version in quotes, such as "3"')
        return int(found[2])

    def parse(self, model: type[Model]) -> Model:
        """The body as the model has it; raises ``InvalidArgument`` or ``PayloadTooLarge``."""
        # Loaded by the functions that take bodies, and by no other: pydantic is half as much again as the rest of them.
        from orders.web import bodies  # noqa: PLC0415

        self.bounded(limits.LARGEST_BODY)
        return bodies.parse(model, self.body)

    def bounded(self, most: int) -> None:
        """Raises ``PayloadTooLarge`` for a body of more than ``most`` bytes."""
        if len(self.body) > most:
            raise PayloadTooLarge(
                f"The body may have {most} bytes at most.",
                errors=[{"field": "body", "message": f"longer than {most} bytes"}],
            )

    def number(self, name: str, default: int, most: int) -> int:
        """A query parameter that counts from 1 to ``most``."""
        text = self.query.get(name)
        if text is None:
            return default
        if not re.fullmatch(r"\d{1,6}", text) or not 1 <= int(text) <= most:
            raise InvalidArgument.of(name, f"must be a whole number from 1 to {most}")
        return int(text)

    def text(self, name: str, pattern: str) -> str | None:
        """A query parameter, checked against a pattern where it is given."""
        text = self.query.get(name)
        if text is not None and not re.fullmatch(pattern, text):
            raise InvalidArgument.of(name, "is empty or malformed")
        return text

    def foreign_id(self, name: str) -> str | None:
        """A query parameter that is an id of others, where it is given."""
        return _foreign_id(name, self.query[name]) if name in self.query else None

    def check_parameters(self) -> None:
        """Raises ``InvalidArgument`` for query parameters that the route table does not name, or that are empty."""
        known = self.route.query
        unknown = [] if self.route.ignores_unknown_parameters else [name for name in self.query if name not in known]
        if unknown:
            message = f"is no parameter of this route; it takes {', '.join(known) or 'none'}"
            errors = [{"field": name[:LONGEST_NAME], "message": message} for name in unknown[:MOST_PROBLEMS]]
            raise InvalidArgument(f"{errors[0]['field']}: {message}", errors=errors)
        for name in known:
            # A token that is empty is a token that opens nothing, which is for its own check to say.
            if self.query.get(name) == "" and name != "token":
                raise InvalidArgument.of(name, "is empty")

    def may_touch(self, customer_id: CustomerId) -> None:
        """Raises ``PermissionDenied`` unless the caller may use this route on that customer's order."""
        if not self.may_use(self.route, customer_id):
            raise PermissionDenied("This order belongs to another customer.")

    def may_use(self, route: Route, customer_id: CustomerId) -> bool:
        """Whether the caller may use a route on that customer's order."""
        who, caller = route.who, self.caller
        owns = Who.OWNER in who and caller.subject == customer_id and not caller.is_shop
        return owns or bool(caller.groups & who)


def _foreign_id(name: str, text: str) -> str:
    if not re.fullmatch(limits.FOREIGN_ID, text):
        raise InvalidArgument.of(name, f"must have 1 to {limits.LONGEST_FOREIGN_ID} printable characters")
    return text


def _missing(name: str) -> NoReturn:
    raise InvalidArgument.of(name, "is missing")


def authorize(request: Request) -> None:
    """Refuses callers that the route table does not name. Deny is the default: a route without a match is refused to everybody.

    Whether an owner is the owner is known only once the order is read: ``Request.may_touch``.
    """
    who = request.route.who
    if Who.ANYONE in who or Who.SIGNED in who:
        return
    if Who.TRACKING_LINK in who and request.principal is None and "token" in request.query:
        # Whether the token opens this very order is the handler's to check.
        return
    caller = request.caller
    is_customer = not caller.groups
    if caller.groups & who or (Who.OWNER in who and not caller.is_shop) or (Who.CUSTOMER in who and is_customer):
        return
    raise PermissionDenied("Your role does not permit this request.")


Operation = Callable[[Request], Answer]
Handler = Callable[[dict[str, Any], Any], Answer]
WhoIsCalling = Callable[[Mapping[str, Any]], Principal | None]


def serve(operations: Mapping[str, Operation], identify: WhoIsCalling | None = None) -> Handler:
    """A Lambda handler for the routes it is given: API Gateway has matched the route, the table says who may.

    ``identify`` finds the caller of a route that API Gateway does not authorize itself.
    """

    def handler(event: dict[str, Any], _context: Any) -> Answer:
        logger.set_correlation_id((event.get("pathParameters") or {}).get("id") or event["requestContext"]["requestId"])
        try:
            request = Request.of(event, identify(event) if identify else None)
            authorize(request)
            request.check_parameters()
            return operations[request.route.key](request)
        except OrderError as refusal:
            logger.info("Refused", code=refusal.code, refusal=type(refusal).__name__)
            if isinstance(refusal, IllegalTransition):
                _count_invalid_transition()
            return problem(refusal, event.get("rawPath", ""))

    return handler


def _count_invalid_transition() -> None:
    # Only then: loading it is a part of every cold start otherwise.
    from orders.metrics import Metric, measuring  # noqa: PLC0415

    with measuring() as measured:
        measured.add_metric(Metric.INVALID_TRANSITIONS, "Count", 1)


def answer(
    body: Any, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None, version: int | None = None
) -> Answer:
    """A JSON response; ``version`` becomes its ``ETag``."""
    etag = {"etag": f'"{version}"'} if version is not None else {}
    return {
        "statusCode": int(status),
        "headers": {"content-type": "application/json", **SECURITY_HEADERS, **etag, **(headers or {})},
        "body": json.dumps(body, separators=(",", ":"), ensure_ascii=False),
    }


def anchor(code: str) -> str:
    """Where ``/docs`` says what a problem's code means."""
    return code.lower().replace("_", "-")


def problem(refusal: OrderError, instance: str) -> Answer:
    """A refusal in the format of RFC 9457: stable code, words for people, no internals."""
    status = refusal.http_status
    own: ProblemView = {
        "type": f"/docs#{anchor(refusal.code)}",
        "title": refusal.title,
        "status": int(status),
        "code": refusal.code,
        "detail": refusal.detail,
        "instance": instance,
    }
    # A refusal may add members; it never replaces the standard's own.
    body = {**refusal.extra, **own}
    headers = {"content-type": "application/problem+json", **SECURITY_HEADERS}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["retry-after"] = str(RETRY_AFTER_SECONDS)
    if status is HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return {"statusCode": int(status), "headers": headers, "body": json.dumps(body, ensure_ascii=False)}
