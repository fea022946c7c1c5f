"""The test in a browser that docs/testing.md shows runs, and tests without one do what a browser does."""

from __future__ import annotations

import json
import shlex
import sys
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Page

from app_server.testing import OpenApp
from app_server.testing import open_app as open_app_in_process
from tests.support.browsers import quiet_chromium
from tests.support.browsers.pages import (
    CHROMIUM,
    CHROMIUM_ARGS,
    EXPECT_TIMEOUT_S,
    model_value,
    open_app,
    patience_ms,
    wait_for_model,
)
from tests.support.server import running_server
from tests.unit.testing.test_page_of_the_manual import write_files

pytest_plugins = ["pytester"]

APPS = Path(__file__).with_name("apps")


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

        from playwright.sync_api import BrowserType, expect

        expect.set_options(timeout={patience_ms(EXPECT_TIMEOUT_S)})
        BrowserType.launch = partialmethod(BrowserType.launch, executable_path={str(program)!r}, args={CHROMIUM_ARGS!r})
        """
    )
    done = pytester.runpytest_subprocess("-p", "no:asyncio", "test_in_browser.py")
    done.assert_outcomes(passed=1)


def in_chromium(page: Page, uploaded: Path) -> None:
    """Use each widget of apps/noted.py, with mouse and keyboard."""
    for kind, key in (("Slider", "ArrowRight"), ("RangeSlider", "ArrowLeft"), ("DateSlider", "ArrowRight")):
        page.locator(f".bk-{kind} .noUi-handle").last.press(key)
    page.locator(".bk-TextInput input").click()
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    page.locator(".bk-TextAreaInput textarea").click()
    page.keyboard.type("Hi")
    page.keyboard.press("Tab")
    page.locator(".bk-NumericInput input").fill("5")
    page.keyboard.press("Enter")
    page.locator(".bk-Spinner .bk-spin-btn-up").click()
    page.locator(".bk-Select select").first.select_option("b")
    page.locator(".bk-MultiSelect select").select_option(["b", "c"])
    page.locator(".bk-Button button").click()
    page.locator(".bk-Toggle button").click()
    page.locator(".bk-Dropdown button").first.click()
    page.get_by_text("Two", exact=True).click()
    page.locator(".bk-Checkbox input").click()
    page.locator(".bk-Switch").locator("div").last.click()
    page.locator(".bk-RadioGroup input").nth(1).click()
    page.get_by_role("button", name="s", exact=True).click()
    page.locator(".bk-CheckboxGroup input").nth(0).click()
    page.get_by_role("button", name="v", exact=True).click()
    page.locator(".bk-FileInput input").set_input_files(uploaded)
    page.locator(".bk-tab").nth(1).click()
    page.locator(".bk-DataTable .slick-cell").nth(1).click()
    page.locator(".bk-Canvas").first.click()


def in_process(app: OpenApp, uploaded: Path) -> None:
    """Do the same by acts."""
    app.set(app.find(name="slider"), value=4)
    app.set(app.find(name="range"), value=(2, 7))
    app.set(app.find(name="date slider"), value=date(2026, 1, 6))
    app.type(app.find(name="text"), "Ada")
    app.type(app.find(name="area"), "Hi")
    app.set(app.find(name="numeric"), value=5)
    app.set(app.find(name="spinner"), value=4)
    app.set(app.find(name="select"), value="b")
    app.set(app.find(name="several"), value=["b", "c"])
    app.click(app.find(name="button"))
    app.click(app.find(name="toggle"))
    app.click(app.find(name="menu"), "2")
    app.click(app.find(name="box"))
    app.click(app.find(name="switch"))
    app.click(app.find(name="radio"), "q")
    app.click(app.find(name="radio buttons"), "s")
    app.click(app.find(name="boxes"), "t")
    app.click(app.find(name="box buttons"), "v")
    app.upload(app.find(name="file"), uploaded)
    app.click(app.find(name="tabs"), "Second")
    app.select(app.find(name="table"), [0])
    app.tap(app.find(name="plot"), 4, 6)


def test_application_hears_the_same_of_a_browser_and_of_a_test(
    page: Page, processes: ExitStack, tmp_path: Path
) -> None:
    uploaded = tmp_path / "table.csv"
    uploaded.write_text("a,b\n")
    with open_app_in_process(APPS / "noted.py") as app:
        in_process(app, uploaded)
        heard = json.loads(app.find(name="log").text)
    server = processes.enter_context(running_server(APPS / "noted.py"))
    open_app(page, f"{server.url}/noted")
    in_chromium(page, uploaded)
    wait_for_model(page, "log", f"JSON.parse(model.text).length >= {len(heard)}")
    assert json.loads(model_value(page, "log", "model.text")) == heard
