"""The keywords of a server inside a program, made into settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app_server.embedded.keywords import INSTEAD, in_keywords, of_several_processes, settings_from_keywords
from app_server.errors import OperatorError
from app_server.settings import Settings, all_settings


def test_stock_names_are_settings_of_ours() -> None:
    given = settings_from_keywords(
        {
            "keep_alive_milliseconds": 1000, "check_unused_sessions_milliseconds": 2000, "use_index": False,
            "unused_session_lifetime_milliseconds": 3000, "stats_log_frequency_milliseconds": 4000,
            "mem_log_frequency_milliseconds": 5000, "session_token_expiration": 6, "xsrf_cookies": True,
            "extra_websocket_origins": ["a.example"], "allow_websocket_origin": "b.example:1",
            "websocket_max_message_size": 7000, "redirect_root": False, "secret_key": b"x" * 44,
            "sign_sessions": True, "generate_session_ids": False, "ico_path": "none", "prefix": None,
        },
        {},
    )  # fmt: skip
    assert given == Settings(
        keep_alive_ms=1000, check_unused_sessions_ms=2000, disable_index=True, unused_session_lifetime_ms=3000,
        stats_log_frequency_ms=4000, mem_log_frequency_ms=5000, session_token_expiration_s=6, enable_xsrf_cookies=True,
        allow_websocket_origin=("a.example", "b.example:1"), websocket_max_message_size_bytes=7000,
        disable_index_redirect=True, secret_key="x" * 44, session_ids="external-signed", ico_path="none",
    )  # fmt: skip


def test_every_setting_is_a_keyword_but_those_of_the_command_alone() -> None:
    of_the_command = {
        "log_file", "log_format", "log_json", "isolation", "session_cpu_s", "session_memory_mb", "callback_limit_s",
        "num_procs", "hang_timeout_s", "start_timeout_s",
    }  # fmt: skip
    for setting in all_settings():
        if setting.name in of_the_command or setting.default in (None, (), ""):
            continue
        if setting.name.startswith(("oidc_", "oauth_")):  # have no meaning by themselves
            continue
        value = setting.default
        assert getattr(settings_from_keywords({setting.name: value}, {}), setting.name) == value, setting.name


def test_keywords_have_precedence_over_the_environment() -> None:
    environ = {"BOKEH_DEFAULT_SERVER_PORT": "81", "BOKEH_XSRF_COOKIES": "yes", "BOKEH_ALLOW_WS_ORIGIN": "x.example"}
    given = settings_from_keywords({"port": 82, "enable_xsrf_cookies": False}, environ)
    assert given == Settings(port=82, enable_xsrf_cookies=False, allow_websocket_origin=("x.example",))


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"prot": 1}, "prot: Server has no such keyword. Did you mean port?"),
        ({"zzz": 1}, "zzz: Server has no such keyword. See docs/settings.md for all settings."),
        ({"port": "http"}, "port: expected a whole number from 0 to 65535, not 'http'"),
        ({"disable_index": 1}, "disable_index: expected True or False, not 1"),
        ({"use_index": "no"}, "use_index: expected True or False, not 'no'"),
        ({"sign_sessions": "yes"}, "sign_sessions: expected True or False, not 'yes'"),
        (
            {"keep_alive_milliseconds": 1, "keep_alive_ms": 2},
            "keep_alive_ms: is given under two names. Leave out keep_alive_ms.",
        ),
    ],
)
def test_keyword_that_is_wrong_is_named_as_it_was_given(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(OperatorError) as caught:
        settings_from_keywords(keywords, {})
    assert str(caught.value) == message


@pytest.mark.parametrize("name", INSTEAD)
def test_keyword_of_the_command_says_what_to_do_instead(name: str) -> None:
    with pytest.raises(OperatorError) as caught:
        settings_from_keywords({name: True}, {})
    assert str(caught.value) == f"{name}: Server has no such keyword. {INSTEAD[name]}"


@pytest.mark.parametrize("asked", [{"num_procs": 1}, {"hang_timeout_s": 0}, {"http_server_kwargs": {}}, {"port": None}])
def test_keyword_that_asks_for_nothing_is_none(asked: dict[str, Any]) -> None:
    assert settings_from_keywords(asked, {}) == Settings()


@pytest.mark.parametrize("value", [["a.example", "b.example"], ("a.example", "b.example"), ("b.example", "a.example")])
def test_values_may_come_as_lists_bytes_and_paths(value: Any) -> None:
    given = settings_from_keywords(
        {"allow_websocket_origin": value, "secret_key": b"k" * 40, "unix_socket": Path("/run/s")}, {}
    )
    assert set(given.allow_websocket_origin) == {"a.example", "b.example"}
    assert given.secret_key == "k" * 40 and given.unix_socket == "/run/s"


@pytest.mark.parametrize(
    ("keywords", "ids"),
    [
        ({}, Settings().session_ids),
        ({"sign_sessions": True, "secret_key": "k" * 40}, "signed"),
        ({"sign_sessions": False}, "unsigned"),
        ({"generate_session_ids": False}, "external"),
        ({"generate_session_ids": False, "sign_sessions": True, "secret_key": "k" * 40}, "external-signed"),
    ],
)
def test_pair_of_the_stock_server_is_one_setting(keywords: dict[str, Any], ids: str) -> None:
    assert settings_from_keywords(keywords, {}).session_ids == ids


def test_settings_of_several_processes_are_found() -> None:
    assert of_several_processes(Settings()) == []
    asked = Settings(num_procs=4, isolation="process", session_memory_mb=5, callback_limit_s=3)
    assert of_several_processes(asked) == ["num_procs", "isolation", "session_memory_mb", "callback_limit_s"]


def test_errors_that_name_flags_name_keywords() -> None:
    with pytest.raises(OperatorError) as caught, in_keywords():
        raise OperatorError("--dev is not for --num-procs", where="--port", hint="Leave out --x-unknown.")
    assert str(caught.value) == "port: dev is not for num_procs. Leave out --x-unknown."
