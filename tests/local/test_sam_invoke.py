"""``sam local invoke`` against a running stack: a process that has what SAM gives a container, and nothing else, works on the
running stack's orders. SAM itself needs Docker; what it passes is what its own code says (`samcli/local/lambdafn/env_vars.py`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest

from local.cli import commands
from local.cli.client import Api
from local.cli.invoke import SLOW
from local.common import NotReady
from local.ports.listening import bind
from local.stack.running import running, wait_until
from local.stack.settings import ROOT, Settings
from local.stack.stack import Stack
from local.stack.template import expand

# Any address of this machine but the usual one stands for Docker's bridge; only Linux has them all.
BRIDGE = "127.0.0.2"
CODE = (ROOT, ROOT / "functions", ROOT / "layers/orders/python")
CREDENTIALS = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"} | {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
}
HANDLE = """
import importlib, json, sys
from local.lambda_runtime.lambdas import Config, LambdaContext
module, event = sys.argv[1], json.load(sys.stdin)
answer = importlib.import_module(module).handler(event, LambdaContext(Config(module, f"arn:{module}", module, 30, 512), "1"))
json.dump(answer, open(sys.argv[2], "w"))
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    if sys.platform != "linux":
        pytest.skip("loopback has one address here, and a second one is listened at")
    with running(Settings(parameters=SLOW, container_host=BRIDGE)) as started:
        yield started


@pytest.fixture
def printed(stack: Stack, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What `orders env` prints for ``--env-vars``."""
    assert commands.main(["env", "--url", stack.url]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found: dict[str, Any] = json.loads(out)
    return found


def as_sam(function: str, given: Mapping[str, Any]) -> dict[str, str]:
    """The container's environment: of what ``--env-vars`` holds only variables that the template declares."""
    declared = expand(ROOT / "template.yaml")["Resources"][function]["Properties"]["Environment"]["Variables"]
    own = {"AWS_SAM_LOCAL": "true", "AWS_LAMBDA_FUNCTION_NAME": function, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}
    return {**own, **CREDENTIALS, **{name: given["Parameters"].get(name, "") for name in declared}}


@pytest.fixture
def invoke(printed: dict[str, Any], tmp_path: Any) -> Any:
    def invoked(function: str, event: str) -> Any:
        module = "".join(f"_{c.lower()}" if c.isupper() else c for c in function.removesuffix("Function")).lstrip("_")
        answer = tmp_path / "answer.json"
        subprocess.run(
            [sys.executable, "-c", HANDLE, module, answer],
            input=(ROOT / "events" / event).read_bytes(),
            env={**as_sam(function, printed), "PYTHONPATH": os.pathsep.join(map(str, CODE))},
            cwd=tmp_path,
            check=True,
        )
        return json.loads(answer.read_text(encoding="utf-8"))

    return invoked


def test_a_function_in_a_container_reads_and_moves_the_running_stack_s_orders(stack: Stack, invoke: Any) -> None:
    desk = Api(stack.url, stack.token("grace", ["support"]))

    def order() -> Any:
        return desk.call("GET", "/orders/order-1001")["order"]

    placed = invoke("PlaceOrderFunction", "place_order.json")
    assert placed["statusCode"] == 202
    wait_until(lambda: order()["version"] > 1)  # the running stack's own workflow has reserved the stock

    charged = invoke("ChargePaymentFunction", "charge_payment.json")
    assert (order()["status"], order()["version"]) == (charged["status"], charged["version"])
    assert charged["status"] == "PROCESSING"

    read = json.loads(invoke("ReadOrdersFunction", "read_orders.json")["body"])
    assert (read["order"]["status"], read["order"]["version"]) == ("PROCESSING", charged["version"])


def test_the_printed_endpoint_is_the_one_that_containers_reach(stack: Stack, printed: dict[str, Any]) -> None:
    port = urlsplit(stack.aws_url).port
    assert printed["Parameters"]["AWS_ENDPOINT_URL"] == f"http://{BRIDGE}:{port}"
    assert os.environ["AWS_ENDPOINT_URL"] == stack.aws_url, "the functions of this process keep to loopback"
    client: Any = botocore.session.get_session().create_client("sqs", "us-east-1", endpoint_url=f"http://{BRIDGE}:{port}")
    url = printed["Parameters"]["FULFILLMENT_EVENTS_URL"]
    assert client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Host": "host.docker.internal"}, {"User-Agent": "Mozilla/5.0"}, {"Origin": "null"}]
)
def test_who_names_another_host_or_is_a_browser_is_refused_there_too(stack: Stack, headers: dict[str, str]) -> None:
    url = f"http://{BRIDGE}:{urlsplit(stack.aws_url).port}/"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30)


def test_a_stack_that_containers_do_not_reach_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(Api, "call", lambda *_: {"environment": {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}})
    assert commands.main(["env"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"Parameters": {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}}
    assert "--for-containers" in err


def test_an_address_of_another_machine_is_no_place_to_listen_at() -> None:
    # 192.0.2.0/24 is for documentation: no machine has one of its addresses.
    with pytest.raises(NotReady, match=r"192\.0\.2\.1 is not an address of this machine"):
        bind(0, "192.0.2.1")


@pytest.mark.parametrize("host", ["172.17.0.1", "host.docker.internal", "192.168.65.254"])
def test_containers_call_this_machine_by_a_private_address_or_an_internal_name(host: str) -> None:
    assert commands.parsed(["serve", "--for-containers", host]).for_containers == host


@pytest.mark.parametrize("host", ["0.0.0.0", "8.8.8.8", "evil.example", ".internal", "internal", "http://172.17.0.1", "::"])  # noqa: S104
def test_what_others_could_call_themselves_is_refused(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commands.parsed(["serve", "--for-containers", host])
    assert "private address" in capsys.readouterr().err


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"])
def test_an_empty_endpoint_is_none_to_the_sdk(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv(variable, "")
    client = botocore.session.get_session().create_client("dynamodb", "eu-west-1")
    assert client.meta.endpoint_url == "https://dynamodb.eu-west-1.amazonaws.com"
