"""Writes the derived part of operations.yaml anew: ``python -m tools.operations``."""

from tools.operations.file import OPERATIONS, written

OPERATIONS.write_text(written(), encoding="utf-8")
