"""The whole product in this process: the engine, the deployed template, the handlers, and the HTTP API before them."""

from __future__ import annotations

import asyncio
import atexit
import errno
import gc
import importlib
import ipaddress
import json
import logging
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import uvicorn
from botocore.config import Config as BotoConfig

from local.api_gateway.cors import Cors
from local.api_gateway.gateway import Gateway, Tool
from local.api_gateway.keys import AUDIENCE, Issuer, new_key
from local.api_gateway.messages import Request
from local.api_gateway.routes import routes_of
from local.api_gateway.throttle import Throttle
from local.common import REGION, Json
from local.engine import in_process_client, internals, patches
from local.engine.changes import Changes
from local.engine.journal import Journal
from local.event_bus import bus_policy
from local.fastpath.spill import Partitions
from local.lambda_runtime.invocations import Invocations
from local.lambda_runtime.lambdas import Config, Lambdas, NoSuchFunction
from local.lambda_runtime.queues import QueueConfig, QueueFeed
from local.lambda_runtime.streams import Disorder, Feed, FeedConfig
from local.ports import guard
from local.stack import sweeping
from local.step_functions.machines import unsupported
from local.step_functions.states import Record, StateMachines

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent.parent
STACK_NAME = "orders"

# prod-001 and prod-002 as the product's first document has them; one dear enough to need a review.
CATALOGUE = (
    ("prod-001", "Enamel mug", 1000, 100_000),
    ("prod-002", "Canvas tote bag", 1000, 100_000),
    ("prod-003", "Desk lamp", 4950, 5_000),
    ("prod-004", "Mechanical keyboard", 12900, 1_000),
    ("prod-005", "Standing desk", 64900, 500),
    ("prod-006", "Limited print", 8000, 3),
)


class NotReady(RuntimeError):
    """The stack could not be brought up."""


@dataclass(frozen=True)
class Settings:
    port: int = 0
    aws_port: int = 0
    data: Path | None = None
    container_host: str | None = None
    """What containers call this machine, an address of it or a name: where they reach the engine. Without it they do not."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    template: Path = ROOT / "template.yaml"
    # Where handlers and what they import stand, as the template's CodeUri and layers would have it.
    code: Sequence[Path] = (ROOT / "functions", ROOT / "layers" / "orders" / "python")
    seed: bool = True
    disorder: int | None = None
    """A seed for late, reordered and repeated stream records; without one they come as quickly and orderly as they can."""


class Stack:
    """Start it on a loop, once per process at a time; `running()` does both for a test."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lambdas = Lambdas()
        self.outputs: dict[str, str] = {}
        self.resources: dict[str, str] = {}
        self.feeds: dict[str, Feed] = {}
        self.queues: dict[str, QueueFeed] = {}
        self._waking = False
        self._journal = Journal(settings.data) if settings.data else None
        self._api_socket = _bind(settings.port)
        self.port: int = self._api_socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.issuer = Issuer(self.url, self._keep("token-key", new_key()))
        # What has to be put away again, in the order of its making; a stack can be stopped half-way up.
        self._closing: list[Callable[[], None]] = [self._api_socket.close]
        self._partitions: list[Partitions] = []
        self._expander: subprocess.Popen[str] | None = None
        self._servers: list[uvicorn.Server] = []
        self._serving: list[threading.Thread] = []
        self._sweep: asyncio.Task[None] | None = None

    def _keep(self, name: str, value: str) -> str:
        return self._journal.keep(name, value) if self._journal else value

    # -- starting

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        container_host = self.settings.container_host
        aws_sockets = self._bind_engine(container_host)
        self._expander = _expander(self.settings.template, self._parameters())
        self._closing.append(self.abandon)
        expanding = loop.run_in_executor(None, _expanded, self._expander)
        application = _engine(aws_sockets[0])
        self._closing.append(partial(in_process_client.connect, None))
        _prepare_environment(self.aws_url, self.settings.code)
        self.changes = Changes(loop, self._journal)
        self.machines = StateMachines(
            loop,
            self.lambdas,
            internals.part("stepfunctions", "_state_machines"),
            internals.part("stepfunctions", "_executions"),
            _announce,
        )
        self.invocations = Invocations(loop, self.lambdas, _bury)
        self._closing += [self.machines.close, self.invocations.close]
        self.loop = loop
        patches.install(
            patches.Seams(self.lambdas, self.machines, self.changes, self.invocations, self._wake_queues, self._cool)
        )
        _wake_engine(application, loop)
        own_sources = bus_policy.own_sources(Path(self.settings.template), STACK_NAME)
        policed = bus_policy.enforced(application.app, own_sources)
        await self._serve(guard.programs_only(policed, container_host), *aws_sockets)
        await self._deploy(await expanding)
        await asyncio.to_thread(self.lambdas.preload)
        self._open_table()
        self.gateway = self._make_gateway(self._limits())
        await self._serve(self.gateway, self._api_socket)
        # What is here now stays: the collector need not look through it again and again (0.1 s each time).
        gc.collect()
        gc.freeze()
        # An order leaves some 300 objects behind for good and next to no rings: looking for rings as often as Python does
        # by itself took a sixth of the time, and more with every order.
        gc.set_threshold(10_000, 10, 20)
        # Who asks must get a turn among threads that compute: with Python's own 5 ms a read waits several times as long.
        sys.setswitchinterval(0.0003)
        if self.settings.seed:
            await self._seed()
        if self.settings.data:
            # What an earlier process left open. A fresh table has nothing to recover.
            self._sweep = asyncio.get_running_loop().create_task(self._recover())

    def _bind_engine(self, container_host: str | None) -> list[socket.socket]:
        """The engine's port on loopback and, where containers call this machine by an address, on that one too."""
        sockets = [_engine_socket(self.settings.aws_port)]
        self._closing.append(sockets[0].close)
        port = sockets[0].getsockname()[1]
        self.aws_url = f"http://127.0.0.1:{port}"
        self.aws_url_of_others = f"http://{container_host}:{port}" if container_host else self.aws_url
        if container_host and _is_address(container_host):
            sockets.append(_bind(port, container_host))
            self._closing.append(sockets[1].close)
        return sockets

    def _make_gateway(self, limits: Throttle | None) -> Gateway:
        body = self._deployed()["Api"]["Properties"]["Body"]
        return Gateway(routes_of(body), self.lambdas, self.issuer, self._tools(), Cors.of(body), limits)

    def _limits(self) -> Throttle:
        stages = (made["Properties"] for made in self._deployed().values() if _is(made, "ApiGatewayV2::Stage"))
        return Throttle.of(next(stages, None))

    def _parameters(self) -> dict[str, str]:
        """The settings given, and what makes the deployment this machine's own; only what the template declares."""
        own = {
            "JwtIssuer": self.issuer.issuer,
            "JwtAudience": AUDIENCE,
            "JwksUrl": f"{self.url}/.local/jwks.json",
            "SignInUrl": f"{self.url}/.local",
            "DeletionProtection": "false",
            "LoopbackWebhooks": "true",
            "EndpointUrl": self.aws_url,
            "SweepRate": "10000",  # nothing here has a quota
            "LogLevel": os.environ.get("POWERTOOLS_LOG_LEVEL", "ERROR"),
            # One machine's own limit is what is measured here; a lower one is tried out by `--rate-limit`.
            "ApiRateLimit": "10000",
            "ApiBurstLimit": "5000",
        }
        declared = self.settings.template.read_text(encoding="utf-8")
        return {name: value for name, value in own.items() if f"\n  {name}:" in declared} | dict(self.settings.parameters)

    async def _serve(self, app: Any, *listeners: socket.socket) -> None:
        """On a loop in a thread of its own: who asks does not wait until this loop is through with what is ready."""
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        server = _Server(config)
        self._servers.append(server)
        serving = threading.Thread(target=lambda: run(server.serve(sockets=list(listeners))), name="serving", daemon=True)
        serving.start()
        self._serving.append(serving)
        while not server.started:
            if not serving.is_alive():
                raise NotReady("a server did not start")
            await asyncio.sleep(0.002)

    async def _deploy(self, template: dict[str, Any]) -> None:
        """Through CloudFormation, as on AWS; only asked in process, since the loop that answers is this one."""
        cloudformation, s3 = self.client("cloudformation"), self.client("s3")

        def create() -> None:
            # From a bucket, as `sam deploy` does: a template sent along may have 51,200 bytes.
            s3.create_bucket(Bucket="deployment")
            s3.put_object(Bucket="deployment", Key="template", Body=json.dumps(template).encode())
            cloudformation.create_stack(
                StackName=STACK_NAME,
                TemplateURL=f"{self.aws_url}/deployment/template",
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            )

        await asyncio.to_thread(create)
        record = internals.part("cloudformation", "_stacks")[STACK_NAME]
        while record["StackStatus"] == "CREATE_IN_PROGRESS":  # noqa: ASYNC110 - the engine offers nothing to wait on
            await asyncio.sleep(0.005)
        if record["StackStatus"] != "CREATE_COMPLETE":
            raise NotReady(f"the template could not be deployed: {_reason(record)}")
        self.resources = {name: made["PhysicalResourceId"] for name, made in self._deployed().items()}
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in record["Outputs"]}
        self.lambdas.register([_function(made) for made in self._deployed().values() if _is(made, "Lambda::Function")])
        self._check_machines()

    def _deployed(self) -> dict[str, Any]:
        deployed: dict[str, Any] = internals.part("cloudformation", "_stacks")[STACK_NAME]["_resources"]
        return deployed

    def _check_machines(self) -> None:
        for machine in internals.part("stepfunctions", "_state_machines").values():
            if found := unsupported(json.loads(machine["definition"])):
                raise NotReady(f"{machine['name']} uses what the local walker does not know: {', '.join(found)}")

    def _open_table(self) -> None:
        """Fills the tables from the journal, and from then on journals and delivers every change."""
        tables = {made["PhysicalResourceId"]: name for name, made in self._deployed().items() if _is(made, "::Table")}
        for physical in tables:
            table, expiry = (
                internals.part("dynamodb", "_tables")[physical],
                internals.part("dynamodb", "_ttl_settings").get(physical),
            )
            table["items"] = Partitions(table["items"], (expiry or {}).get("AttributeName"))
            self._partitions.append(table["items"])
        if self._journal:
            _restore(self._journal, {name: physical for physical, name in tables.items()})
            self._restore_secrets(self._journal)
        self._make_feeds()
        self.changes.open(tables, self.feeds)

    def _cool(self) -> None:
        for partitions in self._partitions:
            partitions.cool()

    def _restore_secrets(self, journal: Journal) -> None:
        """A secret made by the template is made once, not at every start."""
        secrets = self.client("secretsmanager")
        for name, made in self._deployed().items():
            if not _is(made, "SecretsManager::Secret"):
                continue
            secret_id = made["PhysicalResourceId"]
            fresh = secrets.get_secret_value(SecretId=secret_id)["SecretString"]
            kept = journal.keep(f"secret/{name}", fresh)
            if kept != fresh:
                secrets.put_secret_value(SecretId=secret_id, SecretString=kept)

    def _make_feeds(self) -> None:
        mappings = internals.part("lambda_svc", "_esms")
        for name, made in self._deployed().items():
            mapping = mappings.get(made["PhysicalResourceId"]) if _is(made, "EventSourceMapping") else None
            if mapping is None:
                continue
            try:
                self.lambdas.config(mapping["FunctionName"])
            except NoSuchFunction as missing:
                raise NotReady(f"{name}: {missing}") from missing
            if ":dynamodb:" in mapping["EventSourceArn"]:
                self.feeds[name] = Feed(FeedConfig.of(mapping), self.lambdas.begin, _bury, disorder=self._disorder(name))
                self._closing.append(self.feeds[name].close)
            else:
                config, begin = QueueConfig.of(mapping), partial(self.lambdas.begin, later=True)
                self.queues[name] = QueueFeed(config, internals.Queue(config.queue_arn), begin, time.time)
                self._closing.append(self.queues[name].close)

    def _disorder(self, feed: str) -> Disorder | None:
        seed = self.settings.disorder
        return None if seed is None else Disorder(random.Random(f"{seed}:{feed}"))  # noqa: S311 - chance, to be had again

    def _wake_queues(self) -> None:
        """From any thread: some message has come. Many that come at once make one look."""
        if not self._waking:
            self._waking = True
            self.loop.call_soon_threadsafe(self._pump_queues)

    def _pump_queues(self) -> None:
        self._waking = False
        for feed in self.queues.values():
            feed.pump()

    async def _seed(self) -> None:
        token = self.token("catalogue", ["admin"])
        gateway = self._make_gateway(None)  # a limit that is being tried out is for callers
        for product_id, name, price, stock in CATALOGUE:
            path = f"/products/{product_id}"
            if (await gateway.respond(Request("GET", path, "", []))).status != 404:
                continue
            product = {"name": name, "unit_price": {"amount": price, "currency": "USD"}, "stock": stock}
            headers = [("authorization", f"Bearer {token}"), ("content-type", "application/json")]
            answer = await gateway.respond(Request("PUT", path, "", headers, json.dumps(product).encode()))
            if answer.status >= 300:
                raise NotReady(f"the catalogue could not be written: {answer.status} {answer.body.decode()}")

    async def _recover(self) -> None:
        """No execution outlives its process here; the product's own sweep carries every open order on."""
        swept = await self.sweep()
        if swept.get("error") or swept["failed"]:
            logger.error("the sweep at the start failed: %s", swept)

    async def sweep(self) -> dict[str, Any]:
        """Every open order, by as many invocations as that takes; ``error`` says why it ended early, if it did."""
        function, event = self.resources["SweepOrdersFunction"], {"everything": True}
        swept = sweeping.Swept()
        while swept.goes_on:
            answer = await self.lambdas.begin(function, event | swept.where)
            swept.add({"error": answer.told()} if answer.failed else answer.payload)
        return swept.result

    def _tools(self) -> dict[str, Tool]:
        async def stack() -> Json:
            environment = self.lambdas.environment() | {"AWS_ENDPOINT_URL": self.aws_url_of_others}
            names = {"outputs": self.outputs, "resources": self.resources}
            return {"aws_url": self.aws_url, "environment": environment, **names}

        return {"sweep": self.sweep, "stack": stack}

    # -- running

    def client(self, service: str) -> Any:
        """A boto3 client of the engine."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.aws_url,
            region_name=REGION,
            config=BotoConfig(retries={"mode": "standard"}, s3={"addressing_style": "path"}),
        )

    def token(self, subject: str, groups: Sequence[str] = ()) -> str:
        return self.issuer.token(subject, groups)

    def idle(self) -> bool:
        """Nothing left to deliver and no execution running."""
        executions: list[Record] = list(internals.part("stepfunctions", "_executions").values())
        return self.changes.idle() and all(execution["status"] != "RUNNING" for execution in executions)

    def settled(self) -> bool:
        """Idle, and every notification has arrived too, also what was delayed in a queue. To be asked on the loop.

        Certain, though one part is looked at after the other: only a function hands anything on, and none ran meanwhile.
        """
        begun = self.lambdas.begun
        still = self.lambdas.idle() and self.idle() and self.invocations.idle()
        return still and all(queue.idle() for queue in self.queues.values()) and self.lambdas.begun == begun

    def abandon(self) -> None:
        """Ends the one process that this one has started, if it still runs."""
        if self._expander is not None and self._expander.poll() is None:
            self._expander.kill()
            self._expander.wait()

    async def stop(self) -> None:
        for server in self._servers:
            server.should_exit = True
        for serving in self._serving:
            await asyncio.to_thread(serving.join, 1.5)
        for close in self._closing:
            close()
        self.lambdas.close()
        with internals.LOCK:
            if self._journal:
                self._journal.close()
            while self._partitions:
                self._partitions.pop().close()


class _Server(uvicorn.Server):
    """Signals are the command's business, not each server's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def _bind(port: int, address: str = "127.0.0.1") -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as failure:
        listener.close()
        if failure.errno == errno.EADDRNOTAVAIL:
            raise NotReady(f"{address} is not an address of this machine") from failure
        raise NotReady(f"port {port} is taken: choose another one") from failure
    return listener


_EXPAND = """
import json, sys
from local.stack.template import TemplateInvalid, expand
try:
    json.dump(expand(sys.argv[1], json.loads(sys.argv[2])), sys.stdout)
except TemplateInvalid as invalid:
    sys.exit(str(invalid))
"""


def _expander(template: Path, parameters: Mapping[str, str]) -> subprocess.Popen[str]:
    """In a process of its own, while this one loads the engine: the translator takes a second, and 35 MB that it
    would never give back."""
    command = [sys.executable, "-c", _EXPAND, str(template), json.dumps(parameters)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _expanded(expander: subprocess.Popen[str]) -> dict[str, Any]:
    output, errors = expander.communicate()
    if expander.returncode:
        raise NotReady(f"the template could not be expanded: {errors.strip()}")
    expanded: dict[str, Any] = json.loads(output)
    return expanded


_reserved: list[socket.socket] = []


def _engine_socket(port: int) -> socket.socket:
    """What the engine is to be served on. It reads its settings when it is imported, so a second stack of this process is
    on the first one's port."""
    loaded = sys.modules.get("ministack.app")
    listener = _bind(int(loaded._MINISTACK_PORT) if loaded else port)  # noqa: SLF001
    if loaded is None and sys.platform == "linux":
        # Bound and never listened on: between two stacks of this process nobody else gets the port.
        _reserved.append(_bind(listener.getsockname()[1]))
        atexit.register(_reserved[-1].close)
    return listener


def _engine(listener: socket.socket) -> Any:
    """The engine's application, told of its port."""
    os.environ.update(
        GATEWAY_PORT=str(listener.getsockname()[1]),
        BIND_HOST="127.0.0.1",
        MINISTACK_HOST="127.0.0.1",
        MINISTACK_REGION=REGION,
        LAMBDA_ACCOUNT_CONCURRENCY="0",
        LOG_LEVEL=os.environ.get("LOG_LEVEL", "WARNING"),
    )
    return importlib.import_module("ministack.app")


_OURS = (
    "apigateway",
    "cloudformation",
    "cloudwatch",
    "cloudwatch_logs",
    "cognito",
    "dynamodb",
    "eventbridge",
    "iam",
    "lambda_svc",
    "s3",
    "scheduler",
    "secretsmanager",
    "sns",
    "sqs",
    "stepfunctions",
)


def _wake_engine(application: Any, loop: asyncio.AbstractEventLoop) -> None:
    """Its start without what is not for here: looking for Docker, SFTP and MQTT listeners, 64 threads."""
    for name in _OURS:  # what an earlier stack of this process left; all its services together would look for Docker
        if f"ministack.services.{name}" in sys.modules:
            internals.part(name, "reset")()
    application._MAIN_LOOP = loop  # noqa: SLF001
    loop.set_default_executor(ThreadPoolExecutor(8, thread_name_prefix="engine"))
    internals.part("eventbridge", "start_scheduler")()
    internals.part("scheduler", "start_scheduler")()


def _prepare_environment(aws_url: str, code: Sequence[Path]) -> None:
    os.environ.update(
        AWS_ENDPOINT_URL=aws_url,
        AWS_ACCESS_KEY_ID="local",
        AWS_SECRET_ACCESS_KEY="local",  # noqa: S106 - the engine takes any
        AWS_DEFAULT_REGION=REGION,
        AWS_REGION=REGION,
        AWS_EC2_METADATA_DISABLED="true",
        POWERTOOLS_TRACE_DISABLED="true",
    )
    _forget_settings(code)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)
    sys.path[:0] = [str(folder) for folder in code if str(folder) not in sys.path]
    in_process_client.connect(aws_url)


def _forget_settings(code: Sequence[Path]) -> None:
    """What handlers keep between invocations belongs to an earlier stack of this process, if there was one."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and any(Path(file).is_relative_to(folder) for folder in code):
            for value in list(vars(module).values()):
                clear = getattr(value, "cache_clear", None)
                if callable(clear):
                    clear()
    if parameters := sys.modules.get("aws_lambda_powertools.utilities.parameters"):
        parameters.clear_caches()


def _is(made: Mapping[str, Any], kind: str) -> bool:
    return str(made["ResourceType"]).endswith(kind)


def _function(made: Mapping[str, Any]) -> Config:
    config = internals.part("lambda_svc", "_functions")[made["PhysicalResourceId"]]["config"]
    return Config(
        name=config["FunctionName"],
        arn=config["FunctionArn"],
        handler=config["Handler"],
        timeout=float(config["Timeout"]),
        memory=int(config["MemorySize"]),
        environment={name: str(value) for name, value in config["Environment"]["Variables"].items()},
    )


def _reason(record: Mapping[str, Any]) -> str:
    failed = [
        f"{name}: {made.get('ResourceStatusReason')}"
        for name, made in record.get("_resources", {}).items()
        if "FAILED" in str(made.get("ResourceStatus"))
    ]
    return "; ".join(failed) or str(record.get("StackStatusReason"))


def _restore(journal: Journal, tables: Mapping[str, str]) -> None:
    known = internals.part("dynamodb", "_tables")
    key, put = internals.part("dynamodb", "_extract_key_val"), internals.part("dynamodb", "_set_item")
    for name, item in journal.items():
        table = known.get(tables.get(name))
        if table is not None:
            put(table, key(item[table["pk_name"]]), key(item[table["sk_name"]]), item)
            table["items"].cool()


def _announce(record: Record) -> None:
    """As AWS does on the default bus, where most of the time nobody listens."""
    rules = internals.part("eventbridge", "_rules").values()
    if any(rule.get("EventPattern") and rule.get("EventBusName", "default") == "default" for rule in rules):
        internals.part("stepfunctions", "_emit_execution_status_event")(record)


def _bury(destination: str, message: str) -> None:
    queue = internals.part("sqs", "_queue_by_arn")(destination)
    if queue is None:
        logger.error("what could not be delivered has nowhere to go, there is no %s: %s", destination, message)
        return
    internals.part("sqs", "_HANDLERS")["SendMessage"]({"MessageBody": message}, queue["url"])


# --- For tests and other programs ---------------------------------------------------------------------------


@contextmanager
def running(settings: Settings | None = None) -> Iterator[Stack]:
    """A stack on a loop in a thread of its own. One at a time: the engine and the handlers' settings are the process's."""
    started: Future[Stack] = Future()
    environment, interval, thresholds = dict(os.environ), sys.getswitchinterval(), gc.get_threshold()
    stopping = threading.Event()

    async def main() -> None:
        stack: Stack | None = None
        try:
            stack = Stack(settings or Settings())
            await stack.start()
        except BaseException as failure:  # noqa: BLE001 - raised in the thread that asked for the stack
            if stack is not None:
                await stack.stop()
            started.set_exception(failure)
            return
        started.set_result(stack)
        await asyncio.to_thread(stopping.wait)
        await stack.stop()

    thread = threading.Thread(target=lambda: run(main()), name="stack")
    thread.start()
    try:
        yield started.result()
    finally:
        stopping.set()
        thread.join()
        # Whoever asks for AWS next in this process must not be sent to a stack that is gone.
        os.environ.clear()
        os.environ.update(environment)
        _forget_settings((settings or Settings()).code)
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def run(main: Any) -> None:
    """asyncio.run on the fastest loop there is."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        asyncio.run(main)
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def wait_until(condition: Any, seconds: float = 120.0) -> None:
    """For a test's own thread: until it holds, looked at often. The limit is for what will never hold, not for what is slow."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come about in time")
        time.sleep(0.005)
