"""The environment variables of the handlers in this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from local.common import REGION


def prepare(aws_url: str, code: Sequence[Path]) -> None:
    os.environ.update(
        AWS_ENDPOINT_URL=aws_url,
        AWS_ACCESS_KEY_ID="local",
        AWS_SECRET_ACCESS_KEY="local",  # noqa: S106 - the engine takes any
        AWS_DEFAULT_REGION=REGION,
        AWS_REGION=REGION,
        AWS_EC2_METADATA_DISABLED="true",
        POWERTOOLS_TRACE_DISABLED="true",
    )
    forget_settings(code)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)
    sys.path[:0] = [str(folder) for folder in code if str(folder) not in sys.path]


def forget_settings(code: Sequence[Path]) -> None:
    """What handlers keep between invocations belongs to an earlier stack of this process, if there was one."""
    folders = tuple(f"{folder}{os.sep}" for folder in code)
    for module in list(sys.modules.values()):
        if (getattr(module, "__file__", None) or "").startswith(folders):
            for value in list(vars(module).values()):
                clear = getattr(value, "cache_clear", None)
                if callable(clear):
                    clear()
    if parameters := sys.modules.get("aws_lambda_powertools.utilities.parameters"):
        parameters.clear_caches()
