"""Each page's commands, curl lines and programs, one after the other as a reader runs them, against one stack."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from standardwebhooks import Webhook

from orders.web import openapi, reference
from tests.e2e.faulty_api import FaultyApi
from tests.harness import clients
from tests.harness.bodies import a_body
from tests.harness.documents import BLOCKS, PROGRAMS, ROOT, SHELL, Block
from tests.harness.stacks import Deployment, Served

PYTHON, TYPESCRIPT = "clients/python/README.md", "clients/typescript/README.md"
RUN = sorted({block.page for block in BLOCKS if block.language in SHELL and not block.reasons})
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BEFORE = """set -euo pipefail
. "$VARIABLES"
export PATH="$COMMANDS:$ROOT/.venv/bin:$PATH"
curl() { command curl --fail-with-body "$@"; }
"""

BASH, MAKE = (shutil.which(name) or name for name in ("bash", "make"))
Reader = Callable[[str], Path]


@pytest.fixture(scope="module")
def read(swift: Served, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Does what a page says, once; answers the folder in which it was done."""
    if not isinstance(swift, Served):
        pytest.skip("the pages speak of a stack on this machine")
    folders: dict[str, Path] = {}

    def do(page: str) -> Path:
        if page == PYTHON:
            clients.built()
        if page == TYPESCRIPT and not clients.has_node():
            pytest.skip("there is no Node.js, or npm could not install what builds the client")
        if page not in folders:
            folder = tmp_path_factory.mktemp("reader")
            follow([block for block in BLOCKS if block.page == page], swift, folder)
            folders[page] = folder
        return folders[page]

    return do


def follow(page: list[Block], stack: Served, folder: Path) -> None:
    """Writes the page's programs, and runs its commands in one shell."""
    variables = clients.a_folder(folder)
    for block in page:
        if block.language in PROGRAMS and block.name:
            (folder / block.name).write_text(block.text, encoding="utf-8")
    script = BEFORE + "".join(block.text for block in page if block.language in SHELL and not block.reasons)
    if "ORDER_ID" in script:
        order_id = stack.ada.place()["order"]["order_id"]
        stack.ada.until_over(order_id)
        script = script.replace("ORDER_ID", order_id)
    environment = {**os.environ, **variables, "VARIABLES": str(stack.variables)}
    done = subprocess.run([BASH], input=script, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    (folder / "printed").write_text(done.stdout, encoding="utf-8")


@pytest.fixture(scope="module", autouse=True)
def demo() -> Iterator["subprocess.Popen[str]"]:
    """`make demo` of README, which takes half a minute, most of it waits: beside the other tests."""
    with subprocess.Popen([MAKE, "demo"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        yield process


@pytest.mark.parametrize("page", RUN)
def test_what_a_page_says_can_be_done(read: Reader, page: str) -> None:
    printed = (read(page) / "printed").read_text(encoding="utf-8")
    assert "Traceback" not in printed


def test_the_first_order_of_each_way_is_placed(read: Reader, swift: Served) -> None:
    by_hand = (read("README.md") / "printed").read_text(encoding="utf-8")
    assert '"status":"PENDING"' in by_hand.replace(" ", "")
    shown = re.findall(r"/track/([\w-]+)\?token=", by_hand)
    by_program = [(read(page) / "printed").read_text(encoding="utf-8").split()[0] for page in (PYTHON, TYPESCRIPT)]
    assert len({*shown, *by_program}) >= 4
    for order_id in by_program:
        assert swift.support.order(order_id)["order"]["external_id"] == "#1001"


@pytest.mark.parametrize("page", [PYTHON, TYPESCRIPT])
def test_a_client_raises_a_refusal_with_its_code(read: Reader, page: str) -> None:
    assert "404 NOT_FOUND" in (read(page) / "printed").read_text(encoding="utf-8")


def test_the_python_client_and_its_programs_are_typed(read: Reader) -> None:
    """The models are followed, not reported: the generator names a variable as a property of the same name."""
    folder, package = read(PYTHON), read(PYTHON) / "packages/orders_client"
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={ROOT}/.mypy_cache/clients"]
    programs = [folder / block.name for block in BLOCKS if block.page == PYTHON and block.name]
    calls = folder / "clients/python/tests/calls.py"
    done = subprocess.run(
        [*command, "--follow-imports=silent", *map(str, [package / "api", *package.glob("*.py"), *programs, calls])],
        env={**os.environ, "MYPYPATH": f"{folder}/packages:{folder}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_packages_have_the_version_of_the_description(read: Reader) -> None:
    said = openapi.document()["info"]["version"]
    (metadata,) = (read(PYTHON) / "packages").glob("orders_client-*.dist-info/METADATA")
    headers = metadata.read_text(encoding="utf-8").splitlines()
    assert f"Version: {said}" in headers
    assert json.loads((ROOT / "clients/typescript/package.json").read_text())["version"] == said
    needed = [Requirement(line.partition(": ")[2]) for line in headers if line.startswith("Requires-Dist: ")]
    assert [one for one in needed if version(one.name) not in one.specifier] == []


@pytest.fixture(params=["python", "python async", "typescript"])
def used(request: pytest.FixtureRequest, read: Reader) -> Callable[[str], list[str]]:
    """Runs the client's calls of ``calls.py`` or ``calls.mjs`` at an API; answers what they print."""
    kind = request.param
    page = TYPESCRIPT if kind == "typescript" else PYTHON
    folder = read(page)
    name = "calls.mjs" if kind == "typescript" else "calls.py"
    # By its own folder it finds the page's programs.
    (folder / name).write_text((folder / Path(page).parent / "tests" / name).read_text(encoding="utf-8"), encoding="utf-8")
    program = ["node"] if kind == "typescript" else [sys.executable]
    environment = {**os.environ, "PYTHONPATH": str(folder / "packages"), "WEBHOOK_SECRET": SECRET}

    def use(url: str) -> list[str]:
        requests = [signed(SECRET), signed("whsec_" + "A" * 32), {**signed(SECRET), "headers": {"webhook-signature": "x"}}]
        command = [*program, name, url, *(["async"] if "async" in kind else [])]
        done = subprocess.run(
            command, input=json.dumps(requests), cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return use


def signed(secret: str) -> dict[str, object]:
    at = datetime.now(UTC)
    body = json.dumps(openapi.document()["components"]["examples"]["OrderStatusChanged"]["value"])
    signature = Webhook(secret).sign("event-1", at, body)
    headers = {"webhook-id": "event-1", "webhook-timestamp": str(int(at.timestamp())), "Webhook-Signature": signature}
    return {"body": body, "headers": headers}


def test_a_call_keeps_its_key_over_its_retries_and_pages_and_webhooks_are_as_promised(
    used: Callable[[str], list[str]],
) -> None:
    with FaultyApi() as api:
        printed = used(api.url)
    lost, limited, placed, other, patched, *listed = api.requests
    assert [one.line for one in (lost, limited, placed, other)] == ["POST /orders"] * 4
    assert lost.key == limited.key == placed.key != ""
    assert other.key == "cart-1"
    assert {one.token for one in api.requests} == {"Bearer token-1"}
    assert patched.line == "PATCH /orders/order-1"
    assert [one.line for one in listed] == ["GET /orders?limit=1", "GET /orders?limit=1&cursor=next"]
    assert printed[0] == "order-1001"
    assert printed[1:3] == ["503 None", "2 orders"]
    assert printed[-3:] == ["204", "401", "401"]


@pytest.fixture
def sample(swift: Deployment) -> Iterator[Deployment]:
    """The stack with what the examples of /docs are about; afterwards it is as it was."""
    product = swift.anybody.get("/products/prod-001").json()
    swift.ada.post("/orders", a_body(order_id="order-1001"))
    swift.ada.until_over("order-1001")
    yield swift
    swift.admin.put("/products/prod-001", {name: product[name] for name in ("name", "unit_price", "stock")})
    for webhook in swift.admin.get("/webhooks").json()["webhooks"]:
        swift.admin.call("DELETE", f"/webhooks/{webhook['webhook_id']}")


def test_the_curl_lines_of_the_reference_are_requests_that_the_api_understands(sample: Deployment) -> None:
    paths = openapi.document()["paths"]
    operations = [(method.upper(), path, one) for path, methods in paths.items() for method, one in methods.items()]
    lines = [reference.curl(*operation) for operation in operations]
    script = (
        "curl() { command curl -sS --max-time 60 -o /dev/null -w '%{http_code} %{content_type}\\n' \"$@\"; }\n"
        + "\n".join(lines)
    )
    caller = {"URL": sample.url, "TOKEN": sample.admin.token or "", "KEY": "docs-1", "SIGNATURE": "v1,none"}
    done = subprocess.run(
        [BASH, "-euo", "pipefail"], input=script, env={**os.environ, **caller}, capture_output=True, text=True, check=True
    )
    responses = dict(zip(lines, done.stdout.splitlines(), strict=True))
    unsigned = {line for line, response in responses.items() if response == "401 application/problem+json"}
    assert unsigned == {line for line in lines if "webhook-signature" in line}
    # What is there for no longer, or not in that status, is said by the operation itself.
    understood = re.compile(r"2\d\d .*|(?:404|409) application/problem\+json")
    assert {line: one for line, one in responses.items() if line not in unsigned and not understood.fullmatch(one)} == {}


def test_the_demo_shows_an_order_of_each_kind(demo: "subprocess.Popen[str]") -> None:
    shown, _ = demo.communicate()
    assert demo.returncode == 0
    ends = set(re.findall(r"  ([ABC])  (DELIVERED|CANCELLED)  +Order", shown))
    assert ends == {("A", "DELIVERED"), ("B", "CANCELLED"), ("C", "DELIVERED")}
