"""The file of --use-config."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.settings import (
    Settings,
    bokeh_environment,
    from_config,
    resolve_settings,
)
from tests.unit.settings.faulty import config, fault


def test_file_takes_own_and_stock_names(tmp_path: Path) -> None:
    path = config(
        tmp_path,
        "keep_alive: 1000\n"
        "allowed_ws_origin: [a.org, 'b.org:80']\n"
        "include_headers: Host, Accept\n"
        "sign_sessions: no\n"
        "xsrf_cookies: true\n"
        "py_log_level: warn\n"
        "route: null\n"
        "minified: no\n",
    )
    assert resolve_settings({"use_config": [path]}, {}) == Settings(
        use_config=path,
        keep_alive_ms=1000,
        allow_websocket_origin=("a.org", "b.org:80"),
        include_headers=("Host", "Accept"),
        enable_xsrf_cookies=True,
        log_level="warning",
    )


def test_keys_of_bokeh_itself_become_its_variables(tmp_path: Path) -> None:
    path = config(tmp_path, "minified: no\nversion: 3.9.1\nvalidate_doc: false\nport: 80\n")
    assert bokeh_environment(path) == {
        "BOKEH_MINIFIED": "no",
        "BOKEH_CDN_VERSION": "3.9.1",
        "BOKEH_VALIDATE_DOC": "false",
    }


def test_empty_file_sets_nothing(tmp_path: Path) -> None:
    assert from_config(config(tmp_path, "# nothing yet\n")) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port: 80\nkeep_alve: 3\n", "{path}:2: keep_alve: is not a setting. Did you mean keep_alive?"),
        ("quux: 3\n", "{path}:1: quux: is not a setting. See docs/settings.md for all settings."),
        ("use_config: x\n", "{path}:1: use_config: is not a setting. See docs/settings.md for all settings."),
        ("\nport: ninety\n", "{path}:2: port: expected a whole number from 0 to 65535, not 'ninety'"),
        ("port: [1, 2]\n", "{path}:1: port: expected one value, not 2"),
        ("port: {a: 1}\n", "{path}:1: port: expected a value or a list of values"),
        ("dev: perhaps\n", "{path}:1: dev: expected yes or no, not 'perhaps'"),
        ("keep_alive: 1\nkeep_alive_ms: 2\n", "{path}:2: keep_alive_ms: is given twice. See {path}:1: keep_alive."),
        ("- port\n", "{path}:1: expected lines of the form `key: value`"),
        ("port: 'x\n", "{path}:2:1: not YAML: found unexpected end of stream"),
        ("sign_sessions: 2\n", "{path}:1: sign_sessions: expected yes or no, not '2'"),
    ],
)
def test_fault_in_a_file_names_its_line(text: str, message: str, tmp_path: Path) -> None:
    path = config(tmp_path, text)
    assert fault({"use_config": [path]}) == message.format(path=path)


def test_missing_configuration_file_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "gone.yaml")
    assert fault({"use_config": [path]}) == f"--use-config: {path} cannot be read: No such file or directory"


def test_binary_configuration_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    assert fault({"use_config": [str(path)]}) == f"--use-config: {path} is not UTF-8 text"
