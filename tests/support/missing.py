"""What a test does where the machine lacks something."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from tests.support.browsers.pages import CHROMIUM


def missing(reason: str) -> NoReturn:
    """Skip the test, and fail it where CI=true: there everything has to be."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def require_chromium() -> None:
    """Go on where there is a Chromium."""
    if not Path(CHROMIUM).exists():
        missing(f"{CHROMIUM} is not installed (Debian: apt install chromium)")
