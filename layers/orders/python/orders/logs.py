"""The functions' logs, set up in this one place.

``AWS_LAMBDA_LOG_LEVEL`` (the template's ``LogLevel``) is what Lambda's runtime gives the root logger, so at ``DEBUG`` every
library would log whatever it handles: botocore logs each request and response with the secrets, tokens and addresses in it.
Libraries are therefore held at ``INFO``, and those that handle requests at ``WARNING``, whatever the level is.
"""

import logging
import os

from aws_lambda_powertools import Logger

LIBRARIES = ("boto3", "botocore", "s3transfer", "stripe", "urllib3")
"""What handles requests and responses."""


def hold_libraries() -> None:
    """Keeps libraries from logging more than they may; a level that is stricter stays as it is."""
    root = logging.getLogger()
    root.setLevel(max(root.level, logging.INFO))
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))


def logger() -> Logger:
    """The function's logger. Each line names the number of the settings that it ran with."""
    # Lambda takes a line for INFO, and filters it as that, unless its time is written after RFC 3339.
    return Logger(use_rfc3339=True, settings=os.environ.get("SETTINGS_VERSION"))


hold_libraries()
