"""What the documents tell people to run: the fenced blocks of README and docs, and which of them no test runs, and why."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "clients/python/README.md", "clients/typescript/README.md", "examples/README.md", "docs/*.md")
SHELL, PROGRAMS = ("sh", "bash"), ("python", "js", "ts")

AWS = "needs an AWS account"
SERVES = "runs until it is stopped: the stack of these tests is started by the same command, with other options"
SAM = "downloads the SAM CLI, or needs Docker"
LOGGED = "aws logs filter-log-events --log-group-name /$STACK/functions --filter-pattern '\"is not authorized to perform"
NOT_RUN: Mapping[tuple[str, str], str] = {
    ("README.md", "make demo"): "`make test` is what runs this; tests/e2e/test_documents.py runs `make demo` beside the others",
    ("README.md", ".venv/bin/orders serve "): SERVES,
    ("README.md", "make check-sam"): SAM,
    ("clients/python/README.md", "make clients"): "tests/e2e/test_documents.py builds them, and these tests use what it builds",
    (
        "clients/typescript/README.md",
        "make clients",
    ): "tests/e2e/test_documents.py builds them, and these tests use what it builds",
    ("docs/fulfillment-events.md", "orders serve --delivery-mode"): SERVES,
    ("docs/invoke.md", "make invoke"): f"{SAM}; tests/local/test_invoke.py prepares the order of each event",
    ("docs/invoke.md", ".venv/bin/orders serve --for-containers"): SERVES,
    ("docs/invoke.md", "alias sam="): f"{SAM}; tests/local/test_sam_invoke.py sends what SAM's container would",
    ("docs/invoke.md", "sam build"): SAM,
    ("docs/invoke.md", "sam remote invoke"): AWS,
    ("docs/pages.md", "sam deploy"): AWS,
    (
        "docs/providers.md",
        ".venv/bin/uvx localstripe",
    ): "downloads localstripe; tests/providers/test_localstripe.py runs the same",
    ("docs/webhooks.md", "pip install"): "tests/template/test_receivers.py starts the receiver",
    ("docs/webhooks.md", "npm install"): "tests/template/test_receivers.py starts the receiver",
    ("docs/deploy.md", "make check-sam"): SAM,
    **{
        ("docs/deploy.md", beginning): AWS
        for beginning in (
            "STACK=orders-dev",
            "CLIENT=",
            "sam deploy",
            "API=",
            "for group in",
            f"{LOGGED}: states",
            "aws cloudwatch get-metric-statistics",
            "aws cloudwatch describe-alarms",
            "aws lambda get-alias",
            "aws stepfunctions get-execution-history",
            f"{LOGGED}: dynamodb",
            "aws events describe-event-bus",
            "aws apigatewayv2",
            "aws cognito-idp get-user-pool-mfa-config",
            "aws cognito-idp set-user-pool-mfa-config",
            "aws stepfunctions start-execution",
            "aws lambda get-function-recursion-config",
            "make e2e",
        )
    },
}
"""The shell blocks that are not run, by their page and beginning."""

CALLED: Mapping[tuple[str, str], str] = {
    ("docs/webhooks.md", "receiver.py"): "tests/template/test_receivers.py",
    ("docs/webhooks.md", "receiver.mjs"): "tests/template/test_receivers.py",
    ("clients/python/README.md", "shop_hooks.py"): "tests/e2e/test_documents.py",
    ("clients/typescript/README.md", "shop-hooks.ts"): "tests/e2e/test_documents.py",
}
"""The programs that no command of their page runs, and the test that does."""


@dataclass(frozen=True)
class Block:
    """A fenced block; ``name`` is the file that the text before it calls it."""

    page: str
    language: str
    text: str
    name: str | None

    @property
    def reasons(self) -> list[str]:
        """Why it is not run: none, where it is."""
        return [why for (page, beginning), why in NOT_RUN.items() if page == self.page and self.text.startswith(beginning)]


FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`([\w-]+\.(?:py|mjs|ts))`[^`]*\Z")


def pages() -> dict[str, str]:
    """The text of each page, by its path."""
    found = sorted(path for pattern in PAGES for path in ROOT.glob(pattern))
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in found}


def blocks(page: str, text: str) -> Iterator[Block]:
    """The blocks of a page, in their order."""
    for found in FENCED.finditer(text):
        name = NAMED.search(text[: found.start()].rpartition("```")[2])
        yield Block(page, found[1], found[2], name[1] if name and found[1] in PROGRAMS else None)


BLOCKS = [block for page, text in pages().items() for block in blocks(page, text)]
