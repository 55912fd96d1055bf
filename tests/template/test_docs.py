"""What the documents tell people to run, and promise them, is so; what they and the code refer to is there."""

import posixpath
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from orders.adapters import workflow
from orders.adapters.payment_webhooks import FROM_STRIPE
from orders.domain.identifiers import OrderId
from orders.domain.statuses import TRANSITIONS
from tests.template.test_operations import ALARMS, OPERATIONS, of

ROOT = Path(__file__).parents[2]
INSTALLED = {".git", ".venv", ".venvs", ".cache", ".pytest_cache", "node_modules"}
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for top in ROOT.iterdir()
    if top.name not in INSTALLED
    for path in (top.rglob("*.md") if top.is_dir() else [top])
    if path.suffix == ".md" and not INSTALLED & set(path.parts)
}
RUNBOOK, DEPLOY, SCALE = (DOCUMENTS[f"docs/{name}.md"] for name in ("runbook", "deploy", "scale"))
LARGE = ("us-east-1", "us-west-2", "eu-west-1")
WRITTEN_HERE = ("functions", "layers", "local", "bench", "tests", "statemachine", "events")
TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [
        *(path for folder in WRITTEN_HERE for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".js", ".json")),
        *(path for path in ROOT.glob("*") if path.suffix in (".toml", ".yaml") or path.name == "Makefile"),
    ]
    if not {"data", "vendor", "node_modules"} & set(path.parts)
} | DOCUMENTS


CITED = re.compile(r"(?<![\w/.-])docs/(?:[\w/-]+\.(?:md|json|png)(?:#[\w-]+)?|decisions/\d{3}(?![\w-]))")
LINKED = re.compile(r"\]\(([^)\s]+)\)")


def named_anchors(page: str) -> list[str]:
    return re.findall(r'<a id="([^"]+)"', DOCUMENTS[page])


def anchors(page: str) -> set[str]:
    """Those that a page names, and those that its headings get where it is shown."""
    text = re.sub(r"^```.*?^```", "", DOCUMENTS[page], flags=re.MULTILINE | re.DOTALL)
    headings = [re.sub(r"<[^>]*>", "", heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
    return {*named_anchors(page), *(re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in headings)}


def is_there(target: str) -> bool:
    path, _, anchor = target.partition("#")
    return (ROOT / path).exists() and (not anchor or anchor in anchors(path))


def dead_citations(text: str) -> list[str]:
    """What a text cites of the documents, by its path from the root, and is not there."""
    return [target for target in CITED.findall(text) if not is_there(target)]


def dead_links(page: str, text: str) -> list[str]:
    """What a page links, by its path from the page, and is not there."""
    paths = {target: target.partition("#") for target in LINKED.findall(text) if "://" not in target}
    return [
        target
        for target, (path, _, anchor) in paths.items()
        if not is_there(
            (posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page) + (anchor and f"#{anchor}")
        )
    ]


def test_what_code_and_documents_cite_is_there() -> None:
    assert {path: dead for path, text in TEXTS.items() if (dead := dead_citations(text))} == {}


def test_the_files_that_a_page_names_are_there() -> None:
    found = re.compile(r"`((?:bench|events|functions|layers|local|statemachine|tests|tools)/[\w./-]*)`")
    lost = {page: [path for path in found.findall(text) if not (ROOT / path).exists()] for page, text in DOCUMENTS.items()}
    assert {page: paths for page, paths in lost.items() if paths} == {}


def test_what_a_page_links_is_there() -> None:
    assert {page: dead for page, text in DOCUMENTS.items() if (dead := dead_links(page, text))} == {}


def test_an_anchor_is_named_once_on_its_page() -> None:
    twice = {page: [one for one, times in Counter(named_anchors(page)).items() if times > 1] for page in DOCUMENTS}
    assert {page: names for page, names in twice.items() if names} == {}


@pytest.mark.parametrize(
    "lost", ["behaviour.md", "behavior.md#no-such-rule", "decisions/012", "decisions/012-no-such-decision.md"]
)
def test_a_citation_or_a_link_that_leads_nowhere_is_found(lost: str) -> None:
    assert dead_citations(f"see ``docs/{lost}``.") == [f"docs/{lost}"]
    assert dead_links("docs/decisions/001-the-row-decides.md", f"[there](../{lost})") == [f"../{lost}"]


def test_promises_are_cited_by_their_page() -> None:
    cites = re.compile(r"\b(?:[Tt]he|an?)\s+contract\b|contract(?:'s)?,? section")
    assert [path for path, text in TEXTS.items() if cites.search(text)] == []


def test_the_diagram_of_an_order_s_life_is_the_table_of_transitions() -> None:
    drawn = set(re.findall(r"^    ([A-Z]+) --> ([A-Z]+)", DOCUMENTS["docs/architecture.md"], re.MULTILINE))
    assert drawn == {(current.value, wanted.value) for current, allowed in TRANSITIONS.items() for wanted in allowed}


def test_a_user_that_is_made_by_hand_is_sent_a_mail() -> None:
    commands = [
        re.sub(r"\\\n\s*", " ", text[found.start() :]).splitlines()[0]
        for text in DOCUMENTS.values()
        for found in re.finditer("admin-create-user", text)
    ]
    assert commands
    assert [command for command in commands if "--desired-delivery-mediums EMAIL" not in command] == []


def test_stripe_is_asked_for_each_webhook_that_is_read() -> None:
    named = set(re.findall(r"enabled_events\[\]=([\w.]+)", DEPLOY))
    assert named == FROM_STRIPE - {"charge.refund.updated"}, "the last one is the older name of another"


def test_the_first_line_on_a_release_while_an_alarm_is_on_is_the_command_that_makes_it() -> None:
    section = RUNBOOK.partition("## Releasing while an alarm is on\n\n")[2]
    command = re.match(r"\*\*Run\*\* `(make deploy [^`]*)`", section)
    assert command
    make = shutil.which("make")
    assert make
    done = subprocess.run([make, "-n", *command[1].split()[1:]], cwd=ROOT, check=True, capture_output=True, text=True)
    deployed = [line for line in done.stdout.splitlines() if "sam deploy " in line]
    assert len(deployed) == 1
    assert deployed[0].endswith("deploy --config-env prod --parameter-overrides GradualDeployment=false")


def test_no_trace_is_promised_that_nothing_sends() -> None:
    sources = [*(ROOT / "functions").glob("*.py"), *(ROOT / "layers/orders/python").rglob("*.py")]
    assert [path.name for path in sources if re.search("Tracer|xray", path.read_text(encoding="utf-8"))] == []
    # Lambda's own segments alone: where a call's time went cannot be looked up there.
    assert re.findall(r"(?i)[^.]*(?:subsegment|traces? of a|traces in)[^.]*", RUNBOOK) == []
    assert "X-Ray shows a call's own start, initialization and end, and nothing of what it called" in RUNBOOK


@pytest.mark.parametrize("quota", ["StartExecution", "state transitions", "StopExecution"])
def test_a_quota_that_differs_by_region_says_for_which(quota: str) -> None:
    assert [region for region in LARGE if region not in SCALE.partition("\n## ")[0]] == []
    row = next(line for line in SCALE.splitlines() if line.startswith(f"| {quota} |"))
    assert "large: " in row
    assert "other: " in row


@pytest.mark.parametrize(
    "unshown",
    [
        "SendTaskSuccess",
        "through the alias",
        "nested stack's alarms",
        "billed nine transitions",
        "second factor can be required",
        "filter of levels",
        "The bus keeps",
    ],
)
def test_what_only_a_deployment_shows_has_a_command_and_what_it_should_answer(unshown: str) -> None:
    checklist = DEPLOY.partition("## What only the first deployment shows")[2].partition("\n## ")[0]
    items = re.split(r"\n\*\*", checklist)[1:]
    (item,) = [item for item in items if unshown in item]
    assert "```sh\naws " in item
    assert "\nExpected: " in item


def test_the_checklist_counts_what_there_is() -> None:
    assert f"Expected: `{len(ALARMS)}`; `{len(of('AWS::CodeDeploy::DeploymentGroup'))}` with" in DEPLOY


def test_the_checklist_names_an_order_s_execution_as_the_product_does() -> None:
    named = re.findall(r"--execution-arn \S+ .*-fulfil-order:(\S+)", DEPLOY)
    assert set(named) == {workflow.execution_name(OrderId("ORDER_ID"), 1)}


def test_a_second_factor_can_be_required_where_cloudformation_refuses_it() -> None:
    item = DEPLOY.partition("**A second factor can be required later.**")[2].partition("\n**")[0]
    assert "set-user-pool-mfa-config --user-pool-id POOL --mfa-configuration ON" in item


def test_what_the_alarms_cost_is_counted() -> None:
    made = [
        resource["Properties"] for resource in OPERATIONS["Resources"].values() if resource["Type"] == "AWS::CloudWatch::Alarm"
    ]
    metrics = sum(sum("MetricStat" in one for one in alarm.get("Metrics", ())) or 1 for alarm in made)
    assert f"{len(made)} alarms on {metrics} metrics" in DOCUMENTS["docs/decisions/011-gradual-releases.md"]


def test_where_callbacks_may_not_be_answered_each_statement_to_widen_is_named() -> None:
    item = DEPLOY.partition("**Task tokens are answered")[2].partition("\n**")[0]
    statements = [
        statement
        for role in of("AWS::IAM::Role").values()
        for policy in role.get("Policies", ())
        for statement in policy["PolicyDocument"]["Statement"]
        if "states:SendTaskSuccess" in statement["Action"]
    ]
    assert len(statements) == 7
    assert [one["Sid"] for one in statements if f"`{one['Sid']}`" not in item] == []
    assert '`"*"`' in item


def test_a_term_of_the_glossary_is_defined_once_and_in_its_place() -> None:
    glossary = DOCUMENTS["docs/architecture.md"].partition("\n## Glossary\n")[2].partition("\n## ")[0]
    terms = re.findall(r"^\| \*\*([^*]+)\*\* \|", glossary, re.MULTILINE)
    assert terms
    assert terms == sorted(set(terms), key=str.lower)


def test_the_files_that_a_change_touches_are_there() -> None:
    named = set(re.findall(r"`([\w./-]+(?:\.(?:py|js|json|yaml)|/))`", DOCUMENTS["docs/changing.md"]))
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    places = (ROOT, ROOT / "layers/orders/python/orders")
    assert named
    assert [name for name in sorted(named) if name not in tests and not any((place / name).exists() for place in places)] == []


def test_whatever_reports_an_omission_is_run_by_make_check() -> None:
    rows = [line.split("|") for line in DOCUMENTS["docs/changing.md"].splitlines() if line.startswith("|")]
    named = {name for cells in rows if "`make test`" not in cells[3] for name in re.findall(r"`test_(\w+)\.py`", cells[3])}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    run = set(re.findall(r"\w+", re.findall(r"^FITTING := (.+)$", makefile, re.MULTILINE)[0].replace("test_", "")))
    wiring = {path.stem.removeprefix("test_") for path in (ROOT / "tests/template").glob("test_*.py")}
    assert {"fields", "statuses", "providers"} < named
    assert named - wiring - run == set()


SPELLED_OTHERWISE = re.compile(
    r"\b(?:(?:fulfilment|catalogue|behaviour|artefact|colour|licence|centre|neighbour)s?|(?:normal|author|organ|recogn)ised?"
    r"|for ever|dear orders?|sworn off|obituary)\b",
    re.IGNORECASE,
)
NAMES = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)|[\w./-]+\.md|<a id=[^>]*>", re.DOTALL)


def test_the_documents_are_in_american_english() -> None:
    ours = {page: NAMES.sub("", text) for page, text in DOCUMENTS.items() if not page.startswith("tests/")}
    assert {page: found for page, text in ours.items() if (found := SPELLED_OTHERWISE.findall(text))} == {}
