"""The parties keep what they promise, and no more: each as AWS's documentation has it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from simulator.run import product

product()

from simulator.books import Books
from simulator.dice import Dice
from simulator.faults import CARRIER, GATEWAY
from simulator.functions import Outcome
from simulator.history import History
from simulator.laws import broken
from simulator.world import World


@pytest.fixture
def world() -> World:
    """A world in which nothing goes wrong by itself."""
    return World(product(), Dice(1, frozenset()), History())


def call(world: World, operation: str, **request: Any) -> Any:
    return world.services[operation](request)


def item(name: str, **more: Any) -> dict[str, Any]:
    return {"PK": {"S": f"ORDER#{name}"}, "SK": {"S": "#ORDER"}, **more}


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


# --- the table ---


def test_a_transaction_writes_all_or_nothing_and_says_which_condition_failed(world: World) -> None:
    call(world, "PutItem", Item=item("there", n={"N": "1"}))
    new = {"Put": {"Item": item("new"), "ConditionExpression": "attribute_not_exists(PK)"}}
    again = {"Put": {"Item": item("there"), "ConditionExpression": "attribute_not_exists(PK)"}}
    again["Put"]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    with pytest.raises(ClientError) as refused:
        call(world, "TransactWriteItems", TransactItems=[new, again])
    assert code_of(refused) == "TransactionCanceledException"
    reasons: Any = refused.value.response
    assert [reason["Code"] for reason in reasons["CancellationReasons"]] == ["None", "ConditionalCheckFailed"]
    assert reasons["CancellationReasons"][1]["Item"]["n"] == {"N": "1"}
    assert world.table.item(("ORDER#new", "#ORDER")) is None


def test_a_transaction_of_two_actions_on_one_item_is_refused(world: World) -> None:
    with pytest.raises(ClientError) as refused:
        call(world, "TransactWriteItems", TransactItems=[{"Put": {"Item": item("a")}}, {"Put": {"Item": item("a")}}])
    assert code_of(refused) == "ValidationException"


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("begins_with(SK, :a)", {":a": "b"}, ["b", "bb"]),
        ("SK BETWEEN :a AND :b", {":a": "aa", ":b": "bb"}, ["b", "bb"]),
        ("SK = :a", {":a": "b"}, ["b"]),
        ("SK < :a", {":a": "b"}, ["a"]),
        ("SK <= :a", {":a": "b"}, ["a", "b"]),
        ("SK > :a", {":a": "b"}, ["bb", "c"]),
        ("SK >= :a", {":a": "b"}, ["b", "bb", "c"]),
    ],
)
def test_a_query_finds_what_its_condition_on_the_sort_key_lets_through(
    world: World, condition: str, values: dict[str, str], expected: list[str]
) -> None:
    for sort in ("c", "a", "bb", "b"):
        world.services["PutItem"]({"Item": {"PK": {"S": "p"}, "SK": {"S": sort}}})
    given = {name: {"S": value} for name, value in {":pk": "p", **values}.items()}
    found = world.services["Query"]({"KeyConditionExpression": f"PK = :pk AND {condition}", "ExpressionAttributeValues": given})
    assert [item["SK"]["S"] for item in found["Items"]] == expected


def test_an_index_follows_later(world: World) -> None:
    due = {"GSI3PK": {"S": "DUE"}, "GSI3SK": {"S": "2026"}}
    call(world, "PutItem", Item=item("a", **due))
    query = {
        "IndexName": "by_due",
        "KeyConditionExpression": "GSI3PK = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "DUE"}},
    }
    assert call(world, "Query", **query)["Items"] == []
    world.loop.now += 1
    assert [found["PK"]["S"] for found in call(world, "Query", **query)["Items"]] == ["ORDER#a"]
    call(world, "PutItem", Item=item("a"))
    world.loop.now += 1
    assert call(world, "Query", **query)["Items"] == []


def test_a_page_ends_at_its_limit_and_goes_on_behind_it(world: World) -> None:
    for number in range(5):
        call(world, "PutItem", Item={"PK": {"S": "P"}, "SK": {"S": f"EVENT#{number}"}})
    query = {
        "KeyConditionExpression": "PK = :pk AND begins_with(SK, :event)",
        "ExpressionAttributeValues": {":pk": {"S": "P"}, ":event": {"S": "EVENT#"}},
        "Limit": 3,
    }
    first = call(world, "Query", **query)
    rest = call(world, "Query", **query, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert [found["SK"]["S"][-1] for found in [*first["Items"], *rest["Items"]]] == ["0", "1", "2", "3", "4"]
    assert "LastEvaluatedKey" not in rest


def test_what_the_evaluator_does_not_know_is_not_passed_over(world: World) -> None:
    with pytest.raises(NotImplementedError):
        call(world, "UpdateItem", Key=item("a"), UpdateExpression="SET a = if_not_exists(b, :c)")


# --- the stream and the queues ---


class Consumer:
    """Takes the place of a function: what it is given, and how often it fails."""

    def __init__(self, world: World, function: str, *answers: Outcome) -> None:
        self.given: list[list[Any]] = []
        self._answers = list(answers)
        self._function = function
        self._invoke = world.functions.invoke
        world.functions.invoke = self.invoke  # type: ignore[method-assign]

    def invoke(self, function: str, event: Any, told: Any) -> None:
        if function == self._function:
            self.given.append(event["Records"])
            told(self._answers.pop(0) if self._answers else Outcome({"batchItemFailures": []}))
        else:
            told(Outcome({"batchItemFailures": []}))


def changes(world: World, count: int) -> None:
    for number in range(count):
        event = {"kind": {"S": "event"}, "follow_up": {"S": "start_fulfilment"}}
        call(world, "PutItem", Item={"PK": {"S": "ORDER#a"}, "SK": {"S": f"EVENT#{number:08d}"}, **event})


def test_each_consumer_is_given_every_record_that_its_filter_lets_through(world: World) -> None:
    consumer = Consumer(world, "PublishChangesFunction")
    changes(world, 7)
    call(world, "PutItem", Item=item("a"))
    world.loop.run()
    given = [record["dynamodb"]["NewImage"]["SK"]["S"] for batch in consumer.given for record in batch]
    assert sorted(given) == [f"EVENT#{number:08d}" for number in range(7)]


def test_a_record_that_keeps_failing_is_given_up_and_can_be_read_again(world: World) -> None:
    failed = Outcome(None, "RuntimeError", "no")
    consumer = Consumer(world, "DriveWorkflowFunction", *[failed] * 11)
    changes(world, 1)
    world.loop.run()
    assert len(consumer.given) == 11, "the first try, and ten more"
    (letter,) = world.queues.messages("UnhandledEvents")
    info = json.loads(letter.body)["DDBStreamBatchInfo"]
    first, last = int(info["startSequenceNumber"]), int(info["endSequenceNumber"])
    assert world.streams.between("DriveWorkflowFunction", first, last) == consumer.given[0]


def test_a_batch_that_fails_in_part_comes_again_from_the_first_failure(world: World) -> None:
    consumer = Consumer(world, "PublishChangesFunction")
    lane = next(lane for feed, lanes in world.streams._lanes if feed.function == "PublishChangesFunction" for lane in lanes)
    records = [type("R", (), {"sequence": number, "at": 0.0, "body": {"number": number}})() for number in range(4)]
    lane._told(Outcome({"batchItemFailures": [{"itemIdentifier": "2"}]}), records, 0, [])
    world.loop.run()
    assert [[record["number"] for record in batch] for batch in consumer.given] == [[2], [3]], "halved, and none of them lost"


def test_a_message_that_keeps_failing_becomes_a_dead_letter(world: World) -> None:
    consumer = Consumer(world, "OnFulfillmentEventFunction", *[Outcome(None, "RuntimeError", "no")] * 5)
    world.queues.send("FulfillmentEvents", "{}")
    world.loop.run()
    assert [batch[0]["attributes"]["ApproximateReceiveCount"] for batch in consumer.given] == ["1", "2", "3", "4", "5"]
    assert [letter.source for letter in world.queues.messages("FulfillmentDeadLetters")] == ["FulfillmentEvents"]
    assert world.loop.now > 4 * 180, "each time after its visibility time-out"


def test_a_message_that_is_reported_comes_again_and_the_others_do_not(world: World) -> None:
    consumer = Consumer(world, "KeepStatisticsFunction")
    for _ in range(3):
        world.queues.send("StatisticsEvents", "{}")
    consumer._answers.append(Outcome({"batchItemFailures": [{"itemIdentifier": "2"}]}))
    world.loop.run()
    assert [sorted(record["messageId"] for record in batch) for batch in consumer.given] == [["1", "2", "3"], ["2"]]


# --- workflows ---


def start(world: World, facts: str, name: str = "a") -> Any:
    machine = next(arn for arn in world.wiring.environment.values() if "stateMachine:" in arn and "unwind" in arn)
    return call(world, "StartExecution", stateMachineArn=machine, name=name, input=facts)


@pytest.fixture
def idle(world: World) -> Iterator[World]:
    """A world whose functions never answer."""
    world.functions.invoke = lambda *_: None  # type: ignore[method-assign]
    yield world
    world.loop.forget()


def test_an_execution_is_started_once_and_its_name_is_taken(idle: World) -> None:
    assert start(idle, '{"order_id": "a"}') == start(idle, '{"order_id": "a"}')
    with pytest.raises(ClientError) as refused:
        start(idle, '{"order_id": "b"}')
    assert code_of(refused) == "ExecutionAlreadyExists"
    arn = next(iter(idle.workflows.executions))
    call(idle, "StopExecution", executionArn=arn, error="e", cause="c")
    assert call(idle, "DescribeExecution", executionArn=arn)["status"] == "ABORTED"
    with pytest.raises(ClientError):
        start(idle, '{"order_id": "a"}')


def test_a_token_that_nobody_waits_behind_is_refused(world: World) -> None:
    with pytest.raises(ClientError) as refused:
        call(world, "SendTaskSuccess", taskToken="t", output="{}")
    assert code_of(refused) in ("TaskTimedOut", "InvalidToken", "TaskDoesNotExist")


# --- releases ---


def two_releases() -> World:
    """A history in which one release takes over from the other, both tell of events, and nothing else goes wrong."""
    for seed in range(40):
        made = World(product(), Dice(seed, frozenset({"release"})), History())
        made.live(12)
        published = {detail["event_id"] for source, detail in made.bus.taken if source == "orders"}
        if made.dice.happened and made.bus.by_edition_one and published - made.bus.by_edition_one:
            return made
    raise AssertionError("no seed draws it")


def test_edition_one_and_this_release_share_a_history() -> None:
    world = two_releases()
    assert world.dice.happened == {"release": 1}
    assert broken(Books(world)) == {}


def test_what_edition_one_says_of_an_event_is_part_of_its_trail() -> None:
    world = two_releases()
    less = next(detail for _, detail in world.bus.taken if detail["event_id"] in world.bus.by_edition_one)
    less["customer_id"] = "somebody else"
    assert "events" in broken(Books(world))


def test_a_provider_that_is_down_takes_no_call_until_it_is_back() -> None:
    world = World(product(), Dice(4, frozenset({"provider outage"})), History())
    world.live(12)
    assert world.dice.happened["provider outage"] > 0
    assert set(world.closed) >= set(CARRIER) or set(world.closed) >= set(GATEWAY)
    assert broken(Books(world)) == {}


# --- chance ---


def test_the_same_seed_draws_the_same_and_no_fault_in_the_calm() -> None:
    first, second = Dice(5), Dice(5)
    for dice in (first, second):
        dice.calm = False
    drawn = [[dice.fault_of("f", "PutEvents") for _ in range(2000)] for dice in (first, second)]
    assert drawn[0] == drawn[1]
    first.calm = True
    assert not any(first.happens("slow call", "f") for _ in range(1000))


def test_faults_end_after_as_many_as_are_asked_for() -> None:
    dice = Dice(5, frozenset({"slow call"}), 3)
    dice.calm = False
    assert sum(dice.happens("slow call", "f") for _ in range(5000)) == 3
