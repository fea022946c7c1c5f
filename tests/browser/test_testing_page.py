"""The test in a browser that docs/testing.md shows runs."""

from __future__ import annotations

import shlex
import sys

import pytest

from tests.support.browsers import quiet_chromium
from tests.support.browsers.pages import CHROMIUM, CHROMIUM_ARGS
from tests.unit.testing.test_page_of_the_manual import write_files

pytest_plugins = ["pytester"]


def test_test_in_a_browser_passes(pytester: pytest.Pytester) -> None:
    write_files(pytester)
    # The page leaves to Playwright which browser that is; here it is the one of all tests.
    program = pytester.path / "chromium"
    words = shlex.join([sys.executable, "-IS", quiet_chromium.__file__, CHROMIUM])
    program.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    pytester.makeconftest(
        f"""
        from functools import partialmethod

        from playwright.sync_api import BrowserType

        BrowserType.launch = partialmethod(BrowserType.launch, executable_path={str(program)!r}, args={CHROMIUM_ARGS!r})
        """
    )
    done = pytester.runpytest_subprocess("-p", "no:asyncio", "test_in_browser.py")
    done.assert_outcomes(passed=1)
