"""The expanded template deployed through CloudFormation, as on AWS, and what came of its resources."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
from botocore.config import Config as BotoConfig

from local.common import REGION, NotReady
from local.engine import internals
from local.lambda_runtime.lambdas import Config
from local.stack.settings import STACK_NAME
from local.step_functions.machines import unsupported

Made = dict[str, Any]


class Deployment:
    def __init__(self, aws_url: str) -> None:
        self._aws_url = aws_url
        self.outputs: dict[str, str] = {}
        self.resources: dict[str, str] = {}

    def client(self, service: str) -> Any:
        """A boto3 client of the engine."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self._aws_url,
            region_name=REGION,
            config=BotoConfig(retries={"mode": "standard"}, s3={"addressing_style": "path"}),
        )

    def verify_sender(self, address: str) -> None:
        """Has the engine's mail service take mails from this address: on AWS its owner has verified it."""
        self.client("sesv2").create_email_identity(EmailIdentity=address)

    async def create(self, template: Mapping[str, Any]) -> None:
        """Asked in process, since the loop that answers is this one."""
        cloudformation, s3 = self.client("cloudformation"), self.client("s3")

        def create() -> None:
            # From a bucket, as `sam deploy` does: a template sent along may have 51,200 bytes.
            s3.create_bucket(Bucket="deployment")
            s3.put_object(Bucket="deployment", Key="template", Body=json.dumps(template).encode())
            cloudformation.create_stack(
                StackName=STACK_NAME,
                TemplateURL=f"{self._aws_url}/deployment/template",
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            )

        await asyncio.to_thread(create)
        record = internals.part("cloudformation", "_stacks")[STACK_NAME]
        while record["StackStatus"] == "CREATE_IN_PROGRESS":  # noqa: ASYNC110 - the engine offers nothing to wait on
            await asyncio.sleep(0.005)
        if record["StackStatus"] != "CREATE_COMPLETE":
            raise NotReady(f"the template could not be deployed: {_reason(record)}")
        self.resources = {name: made["PhysicalResourceId"] for name, made in self.made().items()}
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in record["Outputs"]}
        _check_machines()

    def made(self) -> dict[str, Made]:
        """The physical resource of each logical name."""
        deployed: dict[str, Made] = internals.part("cloudformation", "_stacks")[STACK_NAME]["_resources"]
        return deployed

    def of_type(self, ending: str) -> Iterator[tuple[str, Made]]:
        """The resources whose type ends so, by logical name."""
        return ((name, made) for name, made in self.made().items() if str(made["ResourceType"]).endswith(ending))

    def functions(self) -> list[Config]:
        return [_function(made) for _, made in self.of_type("Lambda::Function")]

    def tables(self) -> dict[str, str]:
        """Each table's logical name by its own, which is another one at each deployment."""
        return {made["PhysicalResourceId"]: name for name, made in self.of_type("::Table")}

    def api(self) -> Mapping[str, Any]:
        """The HTTP API's OpenAPI body."""
        body: Mapping[str, Any] = self.made()["Api"]["Properties"]["Body"]
        return body

    def api_stage(self) -> Mapping[str, Any] | None:
        return next((made["Properties"] for _, made in self.of_type("ApiGatewayV2::Stage")), None)


def _check_machines() -> None:
    for machine in internals.part("stepfunctions", "_state_machines").values():
        if found := unsupported(json.loads(machine["definition"])):
            raise NotReady(f"{machine['name']} uses what the local interpreter does not know: {', '.join(found)}")


def _function(made: Made) -> Config:
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
