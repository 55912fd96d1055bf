"""The local stack: the whole product in one process, with no Docker and no AWS account."""
