"""How many random inputs a test tries."""

from __future__ import annotations

import os

VARIABLE = "APP_SERVER_TEST_EXAMPLES"
"""The share of them that a run tries which has to be quick, as `make check`: 0.25 is a quarter."""

BY_DEFAULT = 100


def examples(number: int = BY_DEFAULT) -> int:
    """So many in a whole run, and this run's share of them otherwise; at least one."""
    return max(1, round(number * float(os.environ.get(VARIABLE, "1"))))
