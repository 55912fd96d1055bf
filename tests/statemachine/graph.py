"""The check of a state machine's definition: what ``sam validate`` and cfn-lint let through and AWS, or an order, trips over.

``faults`` answers one sentence for each thing that is wrong. It knows the house's rules and nothing of a test.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from orders.domain.statuses import OrderStatus
from orders.domain.steps import REASON_OF_ERROR
from tests.statemachine.raises import Raises, is_ours, is_passing

Json = Any
State = Mapping[str, Json]

LAMBDA = "arn:aws:states:::lambda:invoke"
CALLBACK = "arn:aws:states:::lambda:invoke.waitForTaskToken"

PASSING_SERVICE_ERRORS = frozenset(
    {
        # Lambda's own passing faults: Step Functions Developer Guide, "Handle transient Lambda service exceptions".
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        # Too many functions run at once.
        "Lambda.TooManyRequestsException",
        # The function died or ran out of time: what newer and older runtimes report it as.
        "Sandbox.Timedout",
        "Runtime.ExitError",
        "Lambda.Unknown",
    }
)
"""What every step tries again, whatever its code can raise."""

WAITED_TOO_LONG = "States.Timeout"
EVERYTHING = "States.ALL"
NO_TO_A_CALLBACK = frozenset(REASON_OF_ERROR)
"""What a wait for people or outside parties may be ended with, its time-out among it."""
NEVER_RETRIED = frozenset({EVERYTHING, "States.TaskFailed", "States.Runtime", WAITED_TOO_LONG})
"""Wildcards would try refusals again; a wait that has run out would be waited for anew."""

_STATUS = re.compile(rf"\b({'|'.join(OrderStatus)})\b")
_FIELDS_OF_TYPE = {
    "Task": {
        "Resource",
        "Parameters",
        "ResultSelector",
        "ResultPath",
        "Retry",
        "Catch",
        "TimeoutSeconds",
        "TimeoutSecondsPath",
    },
    "Choice": {"Choices", "Default"},
    "Wait": {"Seconds", "SecondsPath"},
    "Succeed": set(),
    "Fail": {"Error", "Cause", "ErrorPath", "CausePath"},
}
_GOES_ON = {"Task", "Wait"}


@dataclass(frozen=True)
class Rules:
    """What a machine is checked against: its input, its functions, and what its failures lead to."""

    inputs: Collection[str]
    """Each path the execution's input has, such as ``$.waits.payment``."""
    substitutions: Collection[str]
    """What the template puts in for ``${…}``."""
    raises: Callable[[str], Raises]
    """What the code behind a substitution can raise."""
    undoing: str
    """The state that every failure leads to."""
    last_resort: str
    """The state that a failure of the undoing itself leads to."""


def faults(machine: Mapping[str, Json], rules: Rules) -> list[str]:
    """Everything wrong with the machine, in words."""
    return [*_machine(machine, rules), *(f"{name}: {words}" for name, words in _states(machine, rules))]


def happy_path(machine: Mapping[str, Json]) -> list[str]:
    """The states of an order that waits for nothing and to which nothing happens: no failure, no choice but the default."""
    path: list[str] = []
    name = str(machine.get("StartAt"))
    while name in machine["States"] and name not in path:
        path.append(name)
        state = machine["States"][name]
        name = str(state.get("Next") or state.get("Default"))
    return path


def billed_transitions(states_entered: int, retries: int = 0) -> int:
    """What AWS bills an execution for: its start, each state it enters, each retry."""
    return 1 + states_entered + retries


# --- the machine as a whole ---


def _machine(machine: Mapping[str, Json], rules: Rules) -> Iterator[str]:
    states = machine["States"]
    if machine.get("StartAt") not in states:
        yield f"StartAt names no state: {machine.get('StartAt')}"
    if machine.get("QueryLanguage", "JSONPath") != "JSONPath":
        yield "it is written in JSONPath"
    if not str(machine.get("Comment", "")).strip():
        yield "the machine has no Comment"
    for text in _texts(machine):
        for status in _STATUS.findall(text):
            yield f"an order's status is written by Python, never here: {status}"
    yield from _substitutions(machine, rules)
    reached = _reached(machine)
    yield from (f"{name}: it cannot be reached" for name in states if name not in reached)
    # A wait for a callback may come again: somebody outside has to act each time, or its time-out ends it.
    unasked = {name: state for name, state in states.items() if state.get("Resource") != CALLBACK}
    if any(name in _after(name, unasked) for name in unasked):
        yield "an order could go round in circles"


def _substitutions(machine: Mapping[str, Json], rules: Rules) -> Iterator[str]:
    used = {name for text in _texts(machine) for name in re.findall(r"\$\{(\w+)\}", text)}
    yield from (f"the template puts nothing in for ${{{name}}}" for name in sorted(used - set(rules.substitutions)))
    yield from (f"the template puts in {name}, which is not used" for name in sorted(set(rules.substitutions) - used))


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _ways_on(state: State) -> list[str]:
    """Where it leads to when it does not fail."""
    targets = (state.get("Next"), state.get("Default"), *(rule.get("Next") for rule in state.get("Choices", ())))
    return [str(target) for target in targets if target is not None]


def _edges(state: State) -> Iterator[tuple[str, str | None]]:
    """Where it leads to, each with the ResultPath of the Catch that leads there."""
    yield from ((target, None) for target in _ways_on(state))
    for catcher in state.get("Catch", ()):
        yield catcher.get("Next", "(nowhere)"), catcher.get("ResultPath", "$") or None


def _reached(machine: Mapping[str, Json]) -> set[str]:
    start = str(machine.get("StartAt"))
    return {start, *_after(start, machine["States"])} & set(machine["States"])


def _after(name: str, states: Mapping[str, State]) -> set[str]:
    """Every state that can come after it."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for target, _ in _edges(states.get(waiting.pop(), {})):
            if target not in found:
                found.add(target)
                waiting.append(target)
    return found


# --- each state ---


def _states(machine: Mapping[str, Json], rules: Rules) -> Iterator[tuple[str, str]]:
    states: Mapping[str, State] = machine["States"]
    known = _known_on_entry(machine, rules)
    for name, state in states.items():
        for words in (*_any_state(state, states), *_way_on(name, state, states, rules), *_by_type(name, state, rules)):
            yield name, words
        for path in _taken(state):
            if name in known and not any(path == have or path.startswith(f"{have}.") for have in known[name]):
                yield name, f"{path} is not there on every way to it"


def _any_state(state: State, states: Mapping[str, State]) -> Iterator[str]:
    kind = state.get("Type")
    if kind not in _FIELDS_OF_TYPE:
        yield f"the machines do without the type {kind}"
        return
    if not str(state.get("Comment", "")).strip():
        yield "it has no Comment"
    yield from (f"it leads to {target}, which does not exist" for target, _ in _edges(state) if target not in states)
    endings = {"Next", "End"} if kind in _GOES_ON else set()
    odd = set(state) - {"Type", "Comment"} - endings - _FIELDS_OF_TYPE[str(kind)]
    yield from (f"{field} has no place in a {kind}" for field in sorted(odd))
    if endings and ("Next" in state) == (state.get("End") is True):
        yield "it needs either a Next or an End"


def _way_on(name: str, state: State, states: Mapping[str, State], rules: Rules) -> Iterator[str]:
    for target in _ways_on(state):
        is_refusal = state.get("Type") == "Choice" and target == rules.undoing != rules.last_resort
        if target in (rules.undoing, rules.last_resort) and not is_refusal:
            yield f"it goes on to {target} without having failed"
        is_failure = states.get(target, {}).get("Type") == "Fail"
        if name != rules.undoing and is_failure and target != rules.last_resort:
            yield f"it fails at {target} before the failure is recorded"
        if name == rules.undoing and not is_failure:
            yield f"it goes on to {target} as if the order had been fulfilled"
    if name == rules.undoing and state.get("End"):
        yield "it ends as if the order had been fulfilled"


def _by_type(name: str, state: State, rules: Rules) -> Iterator[str]:
    match state.get("Type"):
        case "Task":
            yield from _task(name, state, rules)
        case "Choice":
            yield from _choice(state)
        case "Wait":
            yield from _wait(state)
        case "Fail":
            for word in ("Error", "Cause"):
                if len({word, f"{word}Path"} & {key for key, value in state.items() if value}) != 1:
                    yield f"{word} says nothing"
            if is_ours(str(state.get("Error"))):
                yield "its Error is the name of one that a step raises"


def _wait(state: State) -> Iterator[str]:
    if len({"Seconds", "SecondsPath"} & set(state)) != 1:
        yield "it needs one of Seconds and SecondsPath"
    yield from _positive(state, "Seconds", least=0)


def _positive(state: State, field: str, least: int) -> Iterator[str]:
    if field in state and (not _is_whole(state[field]) or state[field] < least):
        yield f"{field} must be a whole number from {least} on"
    path = f"{field}Path"
    if path in state and not re.fullmatch(r"\$(\.\w+)+", str(state[path])):
        yield f"{path} must be a reference path"


def _is_whole(value: Json) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


_COMPARES = re.compile(
    r"(String|Numeric|Boolean|Timestamp)(Equals|LessThan|GreaterThan)\w*|Is(Present|Null|String|Numeric|Boolean)"
)


def _choice(state: State) -> Iterator[str]:
    if not state.get("Choices"):
        yield "it has no Choices"
    if "Default" not in state:
        yield "it has no Default: what is not foreseen would end the execution"
    for rule in state.get("Choices", ()):
        comparisons = [key for key in rule if _COMPARES.fullmatch(key)]
        if set(rule) != {"Variable", "Next", *comparisons} or len(comparisons) != 1:
            yield f"a choice needs a Variable, one comparison and a Next: {dict(rule)}"


# --- a task ---


def _task(name: str, state: State, rules: Rules) -> Iterator[str]:
    yield from _call(state)
    function = _function(state)
    raises = rules.raises(function) if function in rules.substitutions else Raises(frozenset(), frozenset())
    if not state.get("Retry"):
        yield "it has no Retry"
    for retrier in state.get("Retry", ()):
        yield from _retrier(retrier)
    yield from _retried(state, raises)
    yield from _caught(name, state, rules, raises)


def _function(state: State) -> str:
    found = re.fullmatch(r"\$\{(\w+)\}", str(state.get("Parameters", {}).get("FunctionName")))
    return found[1] if found else ""


def _call(state: State) -> Iterator[str]:
    resource, payload = state.get("Resource"), state.get("Parameters", {}).get("Payload", {})
    if resource not in (LAMBDA, CALLBACK):
        yield f"it calls {resource}, not a function"
    if not _function(state):
        yield "its FunctionName is no substitution"
    if payload.get("order_id.$") != "$.order_id":
        yield "its function is not told the order's id"
    has_token = "$$.Task.Token" in payload.values()
    limits = {"TimeoutSeconds", "TimeoutSecondsPath"} & set(state)
    if resource == CALLBACK and not has_token:
        yield "it waits for a callback and gives nobody its token"
    if resource != CALLBACK and has_token:
        yield "it gives its token away and does not wait"
    if resource == CALLBACK and len(limits) != 1:
        yield "it waits for a callback without a time-out"
    yield from _positive(state, "TimeoutSeconds", least=1)


def _retrier(retrier: State) -> Iterator[str]:
    attempts, first, longest = (retrier.get(key) for key in ("MaxAttempts", "IntervalSeconds", "MaxDelaySeconds"))
    if not retrier.get("ErrorEquals"):
        yield "a Retry names no error"
    if not (_is_whole(attempts) and 1 <= attempts <= 10):
        yield "a Retry needs MaxAttempts from 1 to 10"
    if not (_is_whole(first) and first >= 1):
        yield "a Retry needs IntervalSeconds"
    if not retrier.get("BackoffRate", 0) > 1:
        yield "a Retry needs a BackoffRate above 1"
    if not (_is_whole(longest) and _is_whole(first) and longest > first):
        yield "a Retry needs a MaxDelaySeconds above its IntervalSeconds"
    if retrier.get("JitterStrategy") != "FULL":
        yield "a Retry needs a JitterStrategy: what failed together would come back together"


def _retried(state: State, raises: Raises) -> Iterator[str]:
    names = [name for retrier in state.get("Retry", ()) for name in retrier.get("ErrorEquals", ())]
    known = PASSING_SERVICE_ERRORS | raises.passing
    for error in sorted(set(names)):
        if error in NEVER_RETRIED:
            yield f"{error} in a Retry would try again what must not be tried again"
        elif is_ours(error) and not is_passing(error):
            yield f"{error} is a refusal and is never tried again"
        elif error not in known:
            yield f"a Retry names {error}, which its code cannot raise and no service documents"
        if names.count(error) > 1:
            yield f"{error} stands in its Retry twice"
    yield from (f"{error} passes by itself and is not tried again" for error in sorted(known - set(names)))


def _caught(name: str, state: State, rules: Rules, raises: Raises) -> Iterator[str]:
    catchers = state.get("Catch", [])
    if not catchers or catchers[-1].get("ErrorEquals") != [EVERYTHING]:
        yield "it has no Catch that takes everything last"
        return
    final = rules.last_resort if name == rules.undoing else rules.undoing
    if catchers[-1].get("Next") != final:
        yield f"its failure does not lead to {final}"
    allowed = raises.refusals | (NO_TO_A_CALLBACK if state.get("Resource") == CALLBACK else set())
    for catcher in catchers:
        if catcher.get("ResultPath", "$") == "$":
            yield "a Catch puts the failure in the place of the order's id"
        for error in catcher.get("ErrorEquals", ()) if catcher is not catchers[-1] else ():
            if error not in allowed:
                yield f"a Catch names {error}, which its code cannot raise and no service documents"


# --- what a state takes from its input ---


def _taken(state: State) -> Iterator[str]:
    """Every path into its input that a state reads."""
    for field in ("SecondsPath", "TimeoutSecondsPath", "ErrorPath", "CausePath"):
        if field in state:
            yield str(state[field])
    yield from (str(rule["Variable"]) for rule in state.get("Choices", ()) if "Variable" in rule)
    yield from _selected(state.get("Parameters", {}))


def _selected(template: Json) -> Iterator[str]:
    if isinstance(template, Mapping):
        for key, value in template.items():
            if key.endswith(".$") and str(value).startswith("$."):
                yield str(value)
            else:
                yield from _selected(value)


def _known_on_entry(machine: Mapping[str, Json], rules: Rules) -> dict[str, set[str]]:
    """For each state, the paths that its input has whichever way it was reached."""
    states: Mapping[str, State] = machine["States"]
    known: dict[str, set[str]] = {str(machine.get("StartAt")): set(rules.inputs)}
    waiting = list(known)
    while waiting:
        name = waiting.pop()
        for target, have in _leaving(states.get(name, {}), known[name]):
            before = known.get(target)
            known[target] = have if before is None else before & have
            if before != known[target]:
                waiting.append(target)
    return known


def _leaving(state: State, have: set[str]) -> Iterator[tuple[str, set[str]]]:
    """Each state it leads to, with the paths that are known on that way."""
    result = state.get("ResultPath", "$") if state.get("Type") == "Task" else None
    fields = {f"{result}.{key.removesuffix('.$')}" for key in state.get("ResultSelector", {})} if result else set()
    done = fields if result == "$" else have | fields
    yield from ((target, done) for target in _ways_on(state))
    for target, path in _edges({"Catch": state.get("Catch", [])}):
        failure = {f"{path}.Error", f"{path}.Cause", path} if path else set()
        yield target, failure if path == "$" else have | failure
