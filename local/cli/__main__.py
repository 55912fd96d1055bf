"""`python -m local.cli`."""

from __future__ import annotations

import sys

from local.cli.commands import main

if __name__ == "__main__":
    sys.exit(main())
