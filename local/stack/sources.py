"""The event source mappings of the deployed template at work: streams and queues."""

from __future__ import annotations

import asyncio
import random
import time
from functools import partial

from local.common import NotReady
from local.engine import internals
from local.engine.sending import send_dead_letter
from local.lambda_runtime.lambdas import Lambdas, NoSuchFunction
from local.lambda_runtime.queues import QueueConfig, QueueFeed
from local.lambda_runtime.streams import Disorder, Feed, FeedConfig
from local.stack.deployment import Deployment


class Sources:
    """The feeds by the logical names of their mappings."""

    def __init__(self, loop: asyncio.AbstractEventLoop, lambdas: Lambdas, disorder: int | None) -> None:
        self._loop = loop
        self._lambdas = lambdas
        self._disorder = disorder
        self._waking = False
        self.streams: dict[str, Feed] = {}
        self.queues: dict[str, QueueFeed] = {}

    def open(self, deployment: Deployment) -> None:
        mappings = internals.part("lambda_svc", "_esms")
        for name, made in deployment.of_type("EventSourceMapping"):
            mapping = mappings.get(made["PhysicalResourceId"])
            if mapping is None:
                continue
            try:
                self._lambdas.config(mapping["FunctionName"])
            except NoSuchFunction as missing:
                raise NotReady(f"{name}: {missing}") from missing
            if ":dynamodb:" in mapping["EventSourceArn"]:
                disorder = self._disorder_of(name)
                self.streams[name] = Feed(FeedConfig.of(mapping), self._lambdas.begin, send_dead_letter, disorder=disorder)
            else:
                config, begin = QueueConfig.of(mapping), partial(self._lambdas.begin, later=True)
                self.queues[name] = QueueFeed(config, internals.Queue(config.queue_arn), begin, time.time)

    def _disorder_of(self, feed: str) -> Disorder | None:
        seed = self._disorder
        return None if seed is None else Disorder(random.Random(f"{seed}:{feed}"))  # noqa: S311 - chance, to be had again

    def wake_queues(self) -> None:
        """From any thread: a message has arrived. Many at once cause one poll."""
        if not self._waking:
            self._waking = True
            self._loop.call_soon_threadsafe(self._pump_queues)

    def _pump_queues(self) -> None:
        self._waking = False
        for feed in self.queues.values():
            feed.pump()

    def close(self) -> None:
        for stream in self.streams.values():
            stream.close()
        for queue in self.queues.values():
            queue.close()
