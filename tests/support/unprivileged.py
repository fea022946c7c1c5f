"""A user who is not root, for tests of what may not be read; the tests' own user if that is not root either."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_NOBODY = 65534


@contextmanager
def not_as_root() -> Iterator[None]:
    """Run the block with the rights of a user who owns nothing."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)
