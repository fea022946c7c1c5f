"""What each setting accepts, and how it refuses the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.errors import OperatorError
from app_server.settings import (
    all_settings,
    parsers,
    resolve_settings,
)
from tests.unit.settings.faulty import fault


@pytest.mark.parametrize("word", ["no", "No", "false", "FALSE", "off", "0"])
def test_no_means_no(word: str) -> None:
    settings = resolve_settings({}, {"BOKEH_SIGN_SESSIONS": word, "BOKEH_XSRF_COOKIES": word})
    assert (settings.session_ids, settings.enable_xsrf_cookies) == ("unsigned", False)


@pytest.mark.parametrize("word", ["yes", "Yes", "true", "TRUE", "on", "1"])
def test_yes_means_yes(word: str) -> None:
    environ = {"BOKEH_SIGN_SESSIONS": word, "BOKEH_XSRF_COOKIES": word, "BOKEH_SECRET_KEY": "k"}
    settings = resolve_settings({}, environ)
    assert (settings.session_ids, settings.enable_xsrf_cookies) == ("signed", True)


def test_unknown_boolean_is_refused_and_its_variable_named() -> None:
    assert fault(environ={"BOKEH_XSRF_COOKIES": "nope"}) == "BOKEH_XSRF_COOKIES: expected yes or no, not 'nope'"
    assert fault(environ={"BOKEH_SIGN_SESSIONS": "signed"}) == "BOKEH_SIGN_SESSIONS: expected yes or no, not 'signed'"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"port": ["70000"]}, "--port: expected a whole number from 0 to 65535, not '70000'"),
        ({"port": ["-1"]}, "--port: expected a whole number from 0 to 65535, not '-1'"),
        ({"port": ["http"]}, "--port: expected a whole number from 0 to 65535, not 'http'"),
        ({"port": ["9" * 5000]}, f"--port: expected a whole number from 0 to 65535, not '{'9' * 60}'..."),
        (
            {"unused_session_lifetime_ms": ["-5"]},
            "--unused-session-lifetime: expected a whole number, at least 1, not '-5'",
        ),
        ({"check_unused_sessions_ms": ["0"]}, "--check-unused-sessions: expected a whole number, at least 1, not '0'"),
        ({"keep_alive_ms": ["1.5"]}, "--keep-alive: expected a whole number, at least 0, not '1.5'"),
        (
            {"websocket_compression_level": ["10"]},
            "--websocket-compression-level: expected a whole number from 0 to 9, not '10'",
        ),
        (
            {"websocket_compression_mem_level": ["0"]},
            "--websocket-compression-mem-level: expected a whole number from 1 to 9, not '0'",
        ),
        ({"drain_deadline_s": ["nan"]}, "--drain-deadline: expected a number of seconds, at least 0, not 'nan'"),
        ({"drain_deadline_s": ["inf"]}, "--drain-deadline: expected a number of seconds, at least 0, not 'inf'"),
        ({"address": [""]}, "--address: expected some text, not ''"),
        (
            {"session_ids": ["Maybe"]},
            "--session-ids: expected one of unsigned, signed, external-signed, not 'Maybe'",
        ),
        (
            {"log_level": ["loud"]},
            "--log-level: expected one of trace, debug, info, warning, error, critical, not 'loud'",
        ),
        (
            {"isolation": ["snapshto"]},
            "--isolation: expected one of none, process, snapshot, not 'snapshto'. Did you mean snapshot?",
        ),
        (
            {"log_format": ["%(nonsense)s"]},
            "--log-format: expected a format of Python's logging, such as '%(asctime)s %(message)s', "
            "not '%(nonsense)s'",
        ),
        ({"route": ["a/b"]}, "--route: expected 1 to 32 letters, digits, '_' or '-', not 'a/b'"),
        ({"route": ["a\n"]}, r"--route: expected 1 to 32 letters, digits, '_' or '-', not 'a\n'"),
        (
            {"prefix": ["a/../b"]},
            "--prefix: expected a path such as /tools, without spaces, '?', '#', '%' or '..', not 'a/../b'",
        ),
        (
            {"allow_websocket_origin": ["ok.org", "https://example.org"]},
            "--allow-websocket-origin: expected HOST or HOST:PORT, without http:// and without a path, "
            "not 'https://example.org'",
        ),
        (
            {"ico_path": ["icon.png"]},
            "--ico-path: expected the path of a .ico file, 'default' or 'none', not 'icon.png'",
        ),
        ({"unix_socket": ["s" * 108]}, f"--unix-socket: expected a path of at most 107 bytes, not '{'s' * 60}'..."),
    ],
)
def test_wrong_value_is_refused_and_its_flag_named(flags: dict[str, list[str]], message: str) -> None:
    assert fault(flags) == message


@pytest.mark.parametrize(
    ("name", "words", "value"),
    [
        ("port", ["0"], 0),
        ("prefix", ["tools/"], "/tools"),
        ("prefix", ["/"], ""),
        ("prefix", [""], ""),
        ("allow_websocket_origin", ["*", "[::1]:5006", "10.0.*.*:80"], ("*", "[::1]:5006", "10.0.*.*:80")),
        ("include_headers", ["Accept", "Host"], ("Accept", "Host")),
        ("args", ["--a", "", "-b"], ("--a", "", "-b")),
        ("dev_watch", [], ()),
        ("ico_path", ["None"], "none"),
        ("ico_path", ["default"], None),
        ("log_level", ["None"], "info"),
        ("log_level", ["WARN"], "warning"),
        ("drain_deadline_s", ["0.5"], 0.5),
        ("num_procs", ["1"], 1),
    ],
)
def test_right_value_is_taken(name: str, words: list[str], value: object) -> None:
    assert getattr(resolve_settings({name: words}, {}), name) == value


def test_a_secret_is_not_repeated_in_an_error() -> None:
    assert fault({"cookie_secret": ["a\0b"]}) == "--cookie-secret: expected some text"


@given(st.sampled_from([setting for setting in all_settings() if setting.flag]), st.text(max_size=40))
def test_any_word_is_taken_or_refused_with_its_flag(setting: object, word: str) -> None:
    name, flag = setting.name, setting.flag  # type: ignore[attr-defined]
    if name == "use_config":
        return
    try:
        resolve_settings({name: [word]}, {"BOKEH_SECRET_KEY": "k"})
    except OperatorError as error:
        assert error.where == flag


@pytest.mark.parametrize(
    ("name", "word", "expected"),
    [
        ("auth_header_from", "10.0.0.1/8", "an address or a network such as 127.0.0.1 or 10.0.0.0/8, or 'unix'"),
        ("auth_header", "X User", "the name of a header, such as X-Forwarded-User"),
        ("oidc_issuer", "https://id.example.org/.well-known/openid-configuration",
         "the provider's address without /.well-known/openid-configuration"),
        ("oidc_issuer", "http://id.example.org", "an https:// address without '?' and '#' (http:// only for this "
         "machine)"),
        ("oidc_scope", "profile", "scopes separated by spaces, including 'openid'"),
        ("oidc_allow", "staff", "CLAIM=VALUE, such as email=*@example.org"),
    ],
)  # fmt: skip
def test_setting_for_logging_in_says_what_it_expects(name: str, word: str, expected: str) -> None:
    flag = f"--{name.replace('_', '-')}"
    assert fault({name: [word]}) == f"{flag}: expected {expected}, not {word!r}"


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("assets=/srv/a", "assets=/srv/a"), ("/docs/guide/=/srv/a=b", "docs/guide=/srv/a=b"),
        (" assets = /srv/../srv/a/", "assets=/srv/a"), ("groß=/a", "groß=/a"),
    ],
)  # fmt: skip
def test_folder_has_a_name_and_an_absolute_path(word: str, value: str) -> None:
    assert parsers.static_dir(word) == value


def test_folder_is_found_from_where_the_server_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parsers.static_dir("assets=./a") == f"assets={tmp_path}/a"


@pytest.mark.parametrize("word", ["assets", "=a", "assets=", "a b=c", "a/../b=c", "a//b=c", "{a}=b", "a?=b", "%61=b"])
def test_folder_without_a_name_is_none(word: str) -> None:
    with pytest.raises(ValueError, match=r"^NAME=FOLDER, such as assets=\./assets$"):
        parsers.static_dir(word)


@pytest.mark.parametrize("word", ["static=a", "/static/=a", "static/x=a"])
def test_folder_is_not_where_the_servers_own_files_are(word: str) -> None:
    with pytest.raises(ValueError, match=r"^another NAME than static, where the server's own files are$"):
        parsers.static_dir(word)
