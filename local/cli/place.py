"""Where a stack runs: on this machine or on AWS."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3

from local.cli.client import Api
from local.common import REGION


class NotPossible(Exception):
    """The command cannot be carried out; the text says why."""


@dataclass(frozen=True)
class Place:
    """Where the stack runs: on AWS by its name, or on this machine by the URL of its API."""

    stack: str | None
    url: str

    @property
    def is_local(self) -> bool:
        return self.stack is None

    @cached_property
    def _local(self) -> Mapping[str, Any]:
        found: dict[str, Any] = Api(self.url).call("POST", "/.local/stack", {})
        return found

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        if self.is_local:
            told: Mapping[str, str] = self._local["outputs"]
            return told
        stacks = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}

    @cached_property
    def resources(self) -> Mapping[str, str]:
        if self.is_local:
            told: Mapping[str, str] = self._local["resources"]
            return told
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.stack)
        return {one["LogicalResourceId"]: one["PhysicalResourceId"] for page in pages for one in page["StackResourceSummaries"]}

    def client(self, service: str) -> Any:
        """A client of the AWS that the stack runs on."""
        if not self.is_local:
            return boto3.client(service)  # type: ignore[call-overload]
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self._local["aws_url"],
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - the local engine takes any
        )

    def enter(self) -> None:
        """Lets the product's own code of this process work on the stack's table."""
        os.environ["TABLE_NAME"] = self.outputs["TableName"]
        if self.is_local:
            os.environ.update(
                AWS_ENDPOINT_URL=self._local["aws_url"],
                AWS_ACCESS_KEY_ID="local",
                AWS_SECRET_ACCESS_KEY="local",  # noqa: S106 - the local engine takes any
                AWS_DEFAULT_REGION=REGION,
            )
