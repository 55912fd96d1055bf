"""The whole product in this process: the engine, the deployed template, the handlers, and the HTTP API before them."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from local.api_gateway.cors import Cors
from local.api_gateway.gateway import Gateway, Tool
from local.api_gateway.keys import AUDIENCE, SHOP_CLIENT, Issuer, new_key
from local.api_gateway.routes import routes_of
from local.api_gateway.throttle import Throttle
from local.common import Json
from local.engine import in_process_client, internals, patches, startup
from local.engine.changes import Changes
from local.engine.journal import Journal
from local.engine.sending import announce, send_dead_letter
from local.event_bus import bus_policy
from local.fastpath import shortcuts, switch
from local.fastpath.spill import Spill
from local.lambda_runtime.invocations import Invocations
from local.lambda_runtime.lambdas import Lambdas
from local.ports import guard
from local.ports.listening import Servers, bind, is_address
from local.stack import catalog, environment, sweeping
from local.stack.deployment import Deployment
from local.stack.expansion import Expansion
from local.stack.restoring import restore_items, restore_secrets
from local.stack.settings import STACK_NAME, Settings
from local.stack.sources import Sources
from local.step_functions.states import Record, StateMachines

logger = logging.getLogger(__name__)

LINES_KEPT = 10_000
METRICS = '{"_aws"'
"""How a line of metrics begins."""


class Stack:
    """Start it on a loop, once per process at a time; `running()` does both for a test."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        switch.turn(settings.fast_path)
        self.lambdas = Lambdas()
        self._logged: deque[tuple[str, str]] = deque(maxlen=LINES_KEPT)
        self.lambdas.listeners.append(self._keep_log)
        self._journal = Journal(settings.data) if settings.data else None
        self._api_socket = bind(settings.port)
        self.port: int = self._api_socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.issuer = Issuer(self.url, self._keep("token-key", new_key()))
        # What has to be closed, in the order of its creation; a stack can be stopped while it starts.
        self._closing: list[Callable[[], None]] = [self._api_socket.close]
        self._spill = Spill()
        self._servers = Servers()
        self._expansion: Expansion | None = None
        self._sweep: asyncio.Task[None] | None = None

    def _keep_log(self, function: str, text: str) -> None:
        """Keeps what functions log, but for their metrics: as few lines as a person looks through."""
        self._logged.extend((function, line) for line in text.splitlines() if line and not line.startswith(METRICS))

    def _keep(self, name: str, value: str) -> str:
        return self._journal.keep(name, value) if self._journal else value

    # -- starting

    async def start(self) -> None:
        self.loop = loop = asyncio.get_running_loop()
        aws_sockets = self._bind_engine()
        self._expansion = Expansion(self.settings.template, self.parameters())
        self._closing.append(self.abandon)
        expanding = loop.run_in_executor(None, self._expansion.result)
        self._start_engine(aws_sockets[0])
        await self._servers.serve(self._engine_port(), *aws_sockets)
        await self._deploy(await expanding)
        await asyncio.to_thread(self.lambdas.preload)
        self._open_tables()
        self.gateway = self._make_gateway(Throttle.of(self.deployment.api_stage()))
        await self._servers.serve(self.gateway, self._api_socket)
        _tune_interpreter()
        if self.settings.seed:
            # A configured rate limit is for callers.
            await catalog.seed(self._make_gateway(None), self.token("catalog", ["admin"]))
        if self.settings.data:
            # Orders that an earlier process left open. A new table has none.
            self._sweep = loop.create_task(self._recover())

    def _bind_engine(self) -> list[socket.socket]:
        """The engine's port on loopback and, where containers call this machine by an address, on that one too."""
        container_host = self.settings.container_host
        sockets = [startup.engine_socket(self.settings.aws_port)]
        self._closing.append(sockets[0].close)
        port = sockets[0].getsockname()[1]
        self.aws_url = f"http://127.0.0.1:{port}"
        self.aws_url_of_others = f"http://{container_host}:{port}" if container_host else self.aws_url
        if container_host and is_address(container_host):
            sockets.append(bind(port, container_host))
            self._closing.append(sockets[1].close)
        return sockets

    def _start_engine(self, listener: socket.socket) -> None:
        """The engine in this process, patched to call the replacements of its own parts."""
        self._application = startup.load(listener)
        self._closing.append(partial(in_process_client.connect, None))
        environment.prepare(self.aws_url, self.settings.code)
        in_process_client.connect(self.aws_url)
        self.changes = Changes(self.loop, self._journal)
        machines, executions = (internals.part("stepfunctions", name) for name in ("_state_machines", "_executions"))
        self.machines = StateMachines(self.loop, self.lambdas, machines, executions, announce)
        self.invocations = Invocations(self.loop, self.lambdas, send_dead_letter)
        self._sources = Sources(self.loop, self.lambdas, self.settings.disorder)
        self.queues = self._sources.queues
        self._closing += [self.machines.close, self.invocations.close, self._sources.close]
        shortcuts.install()
        wake_queues, between_requests = self._sources.wake_queues, self._spill.cool
        seams = patches.Seams(self.lambdas, self.machines, self.changes, self.invocations, wake_queues, between_requests)
        patches.install(seams)
        startup.wake(self._application, self.loop)

    def _engine_port(self) -> guard.Application:
        own_sources = bus_policy.own_sources(self.settings.template, STACK_NAME)
        policed = bus_policy.enforced(self._application.app, own_sources)
        return guard.programs_only(policed, self.settings.container_host)

    def _make_gateway(self, limits: Throttle | None) -> Gateway:
        body = self.deployment.api()
        return Gateway(routes_of(body), self.lambdas, self.issuer, self._tools(), Cors.of(body), limits)

    def parameters(self) -> dict[str, str]:
        """The settings given, and what makes the deployment this machine's own; only what the template declares."""
        own = {
            "JwtIssuer": self.issuer.issuer,
            "JwtAudience": AUDIENCE,
            "ShopAudience": SHOP_CLIENT,
            "JwksUrl": f"{self.url}/.local/jwks.json",
            "SignInUrl": f"{self.url}/.local",
            "PagesUrl": self.url,
            "DeletionProtection": "false",
            "LoopbackWebhooks": "true",
            "EndpointUrl": self.aws_url,
            "SweepRate": "10000",  # nothing here has a quota
            "LogLevel": os.environ.get("POWERTOOLS_LOG_LEVEL", "ERROR"),
            # The machine itself is the limit here; `--rate-limit` sets a lower one.
            "ApiRateLimit": "10000",
            "ApiBurstLimit": "5000",
        }
        declared = self.settings.template.read_text(encoding="utf-8")
        return {name: value for name, value in own.items() if f"\n  {name}:" in declared} | dict(self.settings.parameters)

    async def _deploy(self, template: dict[str, Any]) -> None:
        self.deployment = Deployment(self.aws_url)
        await self.deployment.create(template)
        self.outputs, self.resources = self.deployment.outputs, self.deployment.resources
        self.lambdas.register(self.deployment.functions())
        if sender := self.parameters().get("MailSender"):
            await asyncio.to_thread(self.deployment.verify_sender, sender)

    def _open_tables(self) -> None:
        """Fills the tables from the journal, and from then on journals and delivers every change."""
        tables = self.deployment.tables()
        if self.settings.fast_path:
            self._spill.open(tables)
        if self._journal:
            restore_items(self._journal, self.deployment, self._spill.cool)
            restore_secrets(self._journal, self.deployment)
        self._sources.open(self.deployment)
        self.changes.open(tables, self._sources.streams)

    async def _recover(self) -> None:
        """No execution survives its process here; the product's own sweep restarts every open order."""
        swept = await self.sweep()
        if swept.get("error") or swept["failed"]:
            logger.error("the sweep at the start failed: %s", swept)

    async def sweep(self) -> dict[str, Any]:
        """Every open order, by as many invocations as that takes; ``error`` says why it ended early, if it did."""
        function, event = self.resources["SweepOrdersFunction"], {"everything": True}
        swept = sweeping.SweepTotals()
        while swept.goes_on:
            answer = await self.lambdas.begin(function, event | swept.where)
            swept.add({"error": answer.failure()} if answer.failed else answer.payload)
        return swept.result

    def _tools(self) -> dict[str, Tool]:
        async def stack() -> Json:
            environment = self.lambdas.environment() | {"AWS_ENDPOINT_URL": self.aws_url_of_others}
            names = {"outputs": self.outputs, "resources": self.resources}
            return {"aws_url": self.aws_url, "environment": environment, **names}

        async def logs() -> Json:
            return {"lines": list(self._logged)}

        return {"sweep": self.sweep, "stack": stack, "logs": logs}

    # -- running

    def client(self, service: str) -> Any:
        """A boto3 client of the engine."""
        return self.deployment.client(service)

    def token(self, subject: str, groups: Sequence[str] = ()) -> str:
        return self.issuer.token(subject, groups)

    def shop_token(self) -> str:
        return self.issuer.shop_token()

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
        if self._expansion is not None:
            self._expansion.abandon()

    async def stop(self) -> None:
        await self._servers.stop()
        for close in self._closing:
            close()
        self.lambdas.close()
        with internals.LOCK:
            if self._journal:
                self._journal.close()
            self._spill.close()


def _tune_interpreter() -> None:
    # Objects that exist now stay: the collector need not check them repeatedly (0.1 s each time).
    # Where this is the process's first stack, the collector was off until now, and one object in forty is garbage.
    if gc.isenabled():
        gc.collect()
    gc.freeze()
    gc.enable()
    # An order leaves some 300 objects behind for good and next to no rings: looking for rings as often as Python does
    # by itself took a sixth of the time, and more with every order.
    gc.set_threshold(10_000, 10, 20)
    # Readers must get a turn among threads that compute: with Python's own 5 ms a read waits several times as long.
    sys.setswitchinterval(0.0003)
