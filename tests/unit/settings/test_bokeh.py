"""What bokeh itself reads, and variables without effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.settings import (
    BOKEH_OWN_KEYS,
    all_settings,
    without_effect,
)
from tests.unit.settings.faulty import config, fault


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("BOKEH_RESOURCES", "nonsense", "expected one of server, server-dev, cdn, inline, not 'nonsense'"),
        ("BOKEH_RESOURCES", "relative", "expected one of server, server-dev, cdn, inline, not 'relative'"),
        ("BOKEH_MINIFIED", "maybe", "expected yes or no, not 'maybe'"),
        ("BOKEH_LOG_LEVEL", "DEBUG", "expected one of trace, debug, info, warn, error, fatal, not 'DEBUG'"),
        ("BOKEH_SIMPLE_IDS", "2", "expected yes or no, not '2'"),
        ("BOKEH_COMPRESSION_LEVEL", "10", "expected a whole number from 0 to 9, not '10'"),
        ("BOKEH_VALIDATION_LEVEL", "some", "expected one of none, errors, all, not 'some'"),
    ],
)
def test_value_that_bokeh_could_not_read_is_refused(tmp_path: Path, variable: str, value: str, message: str) -> None:
    assert fault(environ={variable: value}) == f"{variable}: {message}"
    key = variable.removeprefix("BOKEH_").lower()
    if key in BOKEH_OWN_KEYS:
        path = config(tmp_path, f"port: 80\n{key}: {value}\n")
        assert fault({"use_config": [path]}) == f"{path}:2: {key}: {message}"


def test_variable_without_effect_is_named() -> None:
    assert without_effect({"BOKEH_ROOTDIR": "/x", "BOKEH_CDN_VERSION": "3.9.1", "BOKEH_PRETTY": "yes"}) == [
        "BOKEH_CDN_VERSION has no effect without BOKEH_RESOURCES=cdn",
        "BOKEH_ROOTDIR has no effect: it applies only to pages that are files",
        "BOKEH_PRETTY has no effect: messages are sent without line breaks",
    ]
    assert without_effect({"BOKEH_RESOURCES": "cdn", "BOKEH_CDN_VERSION": "3.9.1", "BOKEH_PRETTY": "no"}) == []


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("APP_SERVER_REQEST_TIMEOUT", "APP_SERVER_REQUEST_TIMEOUT"),
        ("APP_SERVER_NUM_PROC", "APP_SERVER_NUM_PROCS"),
        ("BOKEH_ALLOW_WS_ORIGINS", "BOKEH_ALLOW_WS_ORIGIN"),
        ("BOKEH_SECRET_KYE", "BOKEH_SECRET_KEY"),
        ("BOKEH_SECRET_KEY_FIEL", "BOKEH_SECRET_KEY_FILE"),
        ("BOKEH_RESOURCE", "BOKEH_RESOURCES"),
        ("BOKEH_NUM_PROCS", "APP_SERVER_NUM_PROCS"),
        ("APP_SERVER_SECRET_KEY", "BOKEH_SECRET_KEY"),
    ],
)
def test_mistyped_variable_is_named_with_the_one_that_was_meant(variable: str, meant: str) -> None:
    assert without_effect({variable: "1"}) == [f"{variable} is unknown and has no effect. Did you mean {meant}?"]


def test_variables_of_others_are_not_mentioned() -> None:
    known = [variable for setting in all_settings() for variable in setting.environment]
    others = (
        "APP_SERVER_PORT APP_SERVER_PORT_5006_TCP APP_SERVER_SERVICE_HOST APP_SERVER_RUNTIME_DIR APP_SERVER_LOG_LEVEL "
        "BOKEH_BROWSER BOKEH_DOCS_CDN BOKEH_EXTERNAL_URL BOKEH_SECRET_KEY_FILE BOKEH_VALIDATION_LEVEL REQUEST_TIMEOUT"
    ).split()
    assert without_effect(dict.fromkeys([*known, *others], "no")) == []
    assert without_effect({"APP_SERVER_REQEST_TIMEOUT": " "}) == []
