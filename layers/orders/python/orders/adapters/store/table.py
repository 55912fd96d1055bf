"""Access to the table: the client, calls, reads, batches, and writes on conditions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.exceptions import ConnectionError as NoConnection

from orders import settings
from orders.adapters import aws
from orders.adapters.pauses import ATTEMPTS, pause
from orders.adapters.store.attributes import Item
from orders.adapters.store.keys import Key
from orders.domain.errors import StoreBusy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

IS_NEW, EXISTS = "attribute_not_exists(PK)", "attribute_exists(PK)"
CONDITION_FAILED = "ConditionalCheckFailed"
THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "TransactionInProgressException",
        "InternalServerError",
        "ServiceUnavailable",
    }
)


def client() -> "DynamoDBClient":
    """One client a process, and another for calls near a deadline."""
    return _client(aws.patience())


@cache
def _client(allowed: aws.Patience) -> "DynamoDBClient":
    made: DynamoDBClient = aws.limited_client("dynamodb", allowed)
    return made


def call(operation: Callable[..., Any], **request: Any) -> Any:
    """Calls DynamoDB; raises transient faults as ``StoreBusy``."""
    aws.check_time()
    try:
        return operation(**request)
    except ClientError as error:
        codes = {reason.get("Code") for reason in _reasons(error)}
        conflict = "TransactionConflict" in codes or bool(codes & {"ThrottlingError", "ProvisionedThroughputExceeded"})
        if _code(error) in THROTTLED or _code(error) == "TransactionConflictException":
            raise StoreBusy("The table is busy.") from error
        if conflict and CONDITION_FAILED not in codes:
            raise StoreBusy("Another change of the same items is in progress.") from error
        raise
    except (NoConnection, ReadTimeoutError) as error:
        raise StoreBusy("The table cannot be reached.") from error


# --- reads ---


def get(key: Key) -> Item | None:
    """The item of that key, strongly consistent, if there is one."""
    answer = call(client().get_item, TableName=settings.table_name(), Key=key, ConsistentRead=True)
    item: Item | None = answer.get("Item")
    return item


def pages(**request: Any) -> Iterator[Item]:
    """The items that a query finds; each page is read when its first item is asked for."""
    for answer in responses(**request):
        yield from answer["Items"]


def responses(**request: Any) -> Iterator[Any]:
    """DynamoDB's responses to a query, page by page."""
    start: Mapping[str, Any] | None = None
    while True:
        more = {"ExclusiveStartKey": start} if start else {}
        answer = call(client().query, TableName=settings.table_name(), **request, **more)
        yield answer
        start = answer.get("LastEvaluatedKey")
        if not start:
            return


def batch_get(keys: Sequence[Key]) -> Iterator[Item]:
    """The items of those of the keys that lead to one, strongly consistent, in any order."""
    for first in range(0, len(keys), 100):
        yield from _get_all(keys[first : first + 100])


def _get_all(keys: Sequence[Key]) -> Iterator[Item]:
    """The items of one batch. What a table at its limit leaves out is asked for again, a few times, with growing pauses.

    Raises:
        StoreBusy: some were missing after every try.
    """
    table, wanted = settings.table_name(), keys
    for attempt in range(ATTEMPTS):
        answer = call(client().batch_get_item, RequestItems={table: {"Keys": wanted, "ConsistentRead": True}})
        yield from answer["Responses"].get(table, [])
        wanted = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        if not wanted:
            return
        if attempt < ATTEMPTS - 1:
            pause(attempt)
    raise StoreBusy("The table is busy.")


# --- writes ---


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """The outcome of a conditional write: DynamoDB's response, or else the conditions that did not hold.

    ``failed`` has each by its action's position in the request, 0 for a request of one action, with the item that was found
    there where the request asks for it.
    """

    response: Mapping[str, Any] = field(repr=False)
    failed: Mapping[int, Item] = field(repr=False)
    error: ClientError | None = field(default=None, compare=False, repr=False)
    """DynamoDB's refusal, if there was one: the cause of what is raised for it. It may hold the items that were found."""

    @property
    def is_written(self) -> bool:
        """Whether every condition held. If one did not, nothing was written."""
        return not self.failed


def conditional_write(operation: Callable[..., Any], **request: Any) -> WriteOutcome:
    """Writes on conditions. That some do not hold is an outcome; every other error is raised."""
    try:
        return WriteOutcome(call(operation, **request), {})
    except ClientError as error:
        failed = _failed_conditions(error)
        if not failed:
            raise
        return WriteOutcome({}, failed, error)


def _failed_conditions(error: ClientError) -> dict[int, Item]:
    if _code(error) == "ConditionalCheckFailedException":
        only: Any = error.response
        return {0: only.get("Item", {})}
    reasons = enumerate(_reasons(error))
    return {place: reason.get("Item", {}) for place, reason in reasons if reason.get("Code") == CONDITION_FAILED}


def _reasons(error: ClientError) -> list[dict[str, Any]]:
    response: Any = error.response
    return list(response.get("CancellationReasons", []))


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def transact(actions: Sequence[Any]) -> WriteOutcome:
    """Writes all of the actions, or none if a condition of theirs does not hold."""
    return conditional_write(client().transact_write_items, TransactItems=actions)


def update(**request: Any) -> WriteOutcome:
    """Updates one item, on its condition if it has one."""
    return conditional_write(client().update_item, TableName=settings.table_name(), **request)


def upsert(**request: Any) -> None:
    """Updates one item, whatever it was before, or creates it."""
    call(client().update_item, TableName=settings.table_name(), **request)


def put(item: Item, **condition: str) -> None:
    """Writes an item, and replaces an existing one unless there is a ``ConditionExpression``."""
    call(client().put_item, TableName=settings.table_name(), Item=item, **condition)


def delete(key: Key) -> None:
    """Deletes an item, if there is one."""
    call(client().delete_item, TableName=settings.table_name(), Key=key)


def set_attributes(key: Key, attributes: Item, gone: Sequence[str] = ()) -> None:
    """Sets some attributes of an item that exists and removes others; the rest of it stays as it is."""
    call(client().update_item, TableName=settings.table_name(), **changes(key, attributes, gone, EXISTS))


def changes(key: Key, changed: Item, gone: Sequence[str], condition: str | None = None) -> dict[str, Any]:
    """An update of some attributes; what it does not name stays, whichever release has written it.

    The names and values that the condition has of its own are the caller's to add.
    """
    names = {f"#{position}": name for position, name in enumerate([*changed, *gone])}
    assigned = ", ".join(f"#{position} = :{position}" for position in range(len(changed)))
    removed = ", ".join(f"#{position}" for position in range(len(changed), len(names)))
    parts = ([f"SET {assigned}"] if assigned else []) + ([f"REMOVE {removed}"] if removed else [])
    values = {f":{position}": value for position, value in enumerate(changed.values())}
    return {
        "Key": key,
        "UpdateExpression": " ".join(parts),
        "ExpressionAttributeNames": names,
        **({"ExpressionAttributeValues": values} if values else {}),
        **({"ConditionExpression": condition} if condition else {}),
    }


# --- actions of a transaction ---


def put_action(item: Item, condition: str | None = None) -> dict[str, Any]:
    """An action that writes an item."""
    return {"Put": {"TableName": settings.table_name(), "Item": item} | _on(condition)}


def update_action(**request: Any) -> dict[str, Any]:
    """An action that updates an item."""
    return {"Update": {"TableName": settings.table_name(), **request}}


def delete_action(key: Key, condition: str | None = None) -> dict[str, Any]:
    """An action that deletes an item."""
    return {"Delete": {"TableName": settings.table_name(), "Key": key} | _on(condition)}


def _on(condition: str | None) -> dict[str, str]:
    return {"ConditionExpression": condition} if condition else {}


def check_action(key: Key, condition: str) -> dict[str, Any]:
    """An action that only checks an item."""
    return {"ConditionCheck": {"TableName": settings.table_name(), "Key": key, "ConditionExpression": condition}}
