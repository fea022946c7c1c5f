"""Settings: which source counts, what each accepts, and what is refused with which words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.apps import load_application
from app_server.errors import OperatorError
from app_server.settings import (
    BOKEH_OWN_KEYS,
    Arity,
    Settings,
    all_settings,
    bokeh_environment,
    from_config,
    resolve_settings,
    with_signing_key,
    without_effect,
)
from tests.support.unprivileged import not_as_root

FIELDS = (
    "port address unix_socket prefix show glob args dev dev_watch allow_websocket_origin use_xheaders ssl_certfile "
    "ssl_keyfile ssl_password session_ids secret_key session_token_expiration_s keep_alive_ms "
    "check_unused_sessions_ms unused_session_lifetime_ms stats_log_frequency_ms mem_log_frequency_ms "
    "websocket_max_message_size_bytes websocket_compression_level websocket_compression_mem_level include_headers "
    "exclude_headers include_cookies exclude_cookies cookie_secret enable_xsrf_cookies index disable_index "
    "disable_index_redirect ico_path log_level log_format log_file use_config num_procs auth_module route "
    "drain_deadline_s token_payload basic_auth auth_header auth_header_from oidc_issuer oidc_client_id "
    "oidc_client_secret oidc_scope oidc_allow oidc_redirect_url login_lifetime_s drain_s hang_timeout_s "
    "start_timeout_s max_sessions max_sessions_per_address log_json metrics block_limit_s isolation session_memory_mb "
    "session_cpu_s callback_limit_s request_timeout_s idle_timeout_s"
).split()


def fault(flags: dict[str, list[str]] | None = None, environ: dict[str, str] | None = None) -> str:
    """The whole message of the error that these settings meet."""
    with pytest.raises(OperatorError) as caught:
        resolve_settings(flags or {}, environ or {})
    return str(caught.value)


def config(folder: Path, text: str) -> str:
    """The path of a configuration file."""
    path = folder / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_settings_have_the_names_that_other_rooms_use() -> None:
    assert sorted(item.name for item in fields(Settings)) == sorted(FIELDS)


def test_nothing_given_means_the_defaults() -> None:
    assert resolve_settings({}, {}) == Settings()


def test_defaults_are_those_of_the_stock_command() -> None:
    settings = Settings()
    assert (settings.port, settings.session_token_expiration_s, settings.websocket_max_message_size_bytes) == (
        5006,
        300,
        20 * 1024 * 1024,
    )
    assert (settings.keep_alive_ms, settings.check_unused_sessions_ms, settings.unused_session_lifetime_ms) == (
        37000,
        17000,
        15000,
    )
    assert (settings.stats_log_frequency_ms, settings.mem_log_frequency_ms) == (15000, 0)


def test_every_setting_says_why_its_default_is_that() -> None:
    for setting in all_settings():
        assert setting.help and setting.reason, setting.name
        assert setting.flag is not None or setting.environment, f"{setting.name} cannot be set"


def test_no_default_would_be_refused_by_its_own_parser() -> None:
    for setting in all_settings():
        if setting.arity is Arity.ONE and setting.default is not None:
            assert setting.parse(str(setting.default)) == setting.default


def test_secrets_have_no_place_in_a_repr() -> None:
    shown = repr(Settings(secret_key="key-1", cookie_secret="key-2", ssl_password="key-3"))
    assert "key-" not in shown


def test_secret_key_and_password_have_no_flag() -> None:
    without = {setting.name for setting in all_settings() if setting.flag is None}
    assert without == {"secret_key", "ssl_password", "oidc_client_secret"}


# Precedence


def test_flag_counts_before_environment_before_file_before_default(tmp_path: Path) -> None:
    path = config(tmp_path, "log_level: error\nport: 1\nprefix: /file\n")
    flags = {"use_config": [path], "log_level": ["debug"]}
    environ = {"BOKEH_PY_LOG_LEVEL": "warning", "BOKEH_DEFAULT_SERVER_PORT": "2"}
    settings = resolve_settings(flags, environ)
    assert (settings.log_level, settings.port, settings.prefix, settings.route) == ("debug", 2, "/file", None)


def test_empty_variable_counts_as_not_set() -> None:
    environ = dict.fromkeys(["BOKEH_SECRET_KEY", "BOKEH_SIGN_SESSIONS", "BOKEH_ALLOW_WS_ORIGIN"], "")
    environ["BOKEH_XSRF_COOKIES"] = " "
    assert resolve_settings({}, environ) == Settings()


def test_stock_variables_are_read(tmp_path: Path) -> None:
    certificate, key, icon = tmp_path / "site.pem", tmp_path / "site.key", tmp_path / "site.ico"
    for path in (certificate, key, icon):
        path.touch()
    environ = {
        "BOKEH_ALLOW_WS_ORIGIN": "example.org, *.example.org:443,",
        "BOKEH_COOKIE_SECRET": "cookies",
        "BOKEH_XSRF_COOKIES": "on",
        "BOKEH_SECRET_KEY": "secret",
        "BOKEH_SIGN_SESSIONS": "yes",
        "BOKEH_SSL_CERTFILE": str(certificate),
        "BOKEH_SSL_KEYFILE": str(key),
        "BOKEH_SSL_PASSWORD": "password",
        "BOKEH_ICO_PATH": str(icon),
        "BOKEH_PY_LOG_LEVEL": "DEBUG",
        "BOKEH_LOG_LEVEL": "fatal",
        "APP_SERVER_ROUTE": "a-1",
    }
    assert resolve_settings({}, environ) == Settings(
        allow_websocket_origin=("example.org", "*.example.org:443"),
        cookie_secret="cookies",
        enable_xsrf_cookies=True,
        secret_key="secret",
        session_ids="signed",
        ssl_certfile=str(certificate),
        ssl_keyfile=str(key),
        ssl_password="password",
        ico_path=str(icon),
        log_level="debug",
        route="a-1",
    )


# Booleans mean what they say


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


LOGINS: list[dict[str, list[str]]] = [
    {"basic_auth": [__file__]},
    {"auth_module": [__file__]},
    {"auth_header": ["X-User"], "auth_header_from": ["unix"]},
]


@pytest.mark.parametrize("login", LOGINS)
def test_sessions_behind_a_login_are_signed(login: dict[str, list[str]]) -> None:
    environ = {"BOKEH_COOKIE_SECRET": "c" * 44}
    settings = resolve_settings(login, environ)
    assert settings.session_ids == "signed" and settings.secret_key is not None
    assert settings.secret_key == resolve_settings(login, environ).secret_key != environ["BOKEH_COOKIE_SECRET"]
    assert resolve_settings(login, {**environ, "BOKEH_SECRET_KEY": "k" * 44}).secret_key == "k" * 44
    assert resolve_settings({**login, "session_ids": ["unsigned"]}, environ).session_ids == "unsigned"
    assert resolve_settings(login, {**environ, "BOKEH_SIGN_SESSIONS": "no"}).session_ids == "unsigned"


def test_key_of_a_run_is_made_only_where_sessions_are_signed_without_one() -> None:
    without = resolve_settings({"auth_module": [__file__]}, {})
    assert (without.session_ids, without.secret_key) == ("signed", None)
    assert with_signing_key(without, lambda: "made").secret_key == "made"
    assert with_signing_key(replace(without, secret_key="chosen"), lambda: "made").secret_key == "chosen"
    assert with_signing_key(Settings(), lambda: "made").secret_key is None


def test_flag_for_session_ids_counts_before_the_variable_for_signing() -> None:
    environ = {"BOKEH_SIGN_SESSIONS": "yes", "BOKEH_SECRET_KEY": "k"}
    assert resolve_settings({"session_ids": ["external-signed"]}, environ).session_ids == "external-signed"
    assert resolve_settings({"session_ids": ["unsigned"]}, environ).session_ids == "unsigned"


# Values


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


@pytest.mark.parametrize(("words", "watched"), [([], ()), ([__file__], (__file__,))])
def test_dev_flag_takes_files_to_watch_or_none(words: list[str], watched: tuple[str, ...]) -> None:
    settings = resolve_settings({"dev_watch": words}, {})
    assert (settings.dev, settings.dev_watch) == (True, watched)


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


# What cannot be meant together


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"unix_socket": ["/tmp/s"], "port": ["5006"]},
            "--unix-socket: a Unix socket has no port, but --port gives one. Leave one of them out.",
        ),
        (
            {"unix_socket": ["/tmp/s"], "address": ["localhost"]},
            "--unix-socket: a Unix socket has no address, but --address gives one. Leave one of them out.",
        ),
        (
            {"unix_socket": ["/tmp/s"], "ssl_certfile": [__file__]},
            "--unix-socket: a Unix socket has no ssl certfile, but --ssl-certfile gives one. Leave one of them out.",
        ),
        (
            {"include_headers": ["a"], "exclude_headers": ["b"]},
            "--exclude-headers: --include-headers already says which headers applications see. Leave one of them out.",
        ),
        (
            {"include_cookies": ["a"], "exclude_cookies": ["b"]},
            "--exclude-cookies: --include-cookies already says which cookies applications see. Leave one of them out.",
        ),
        (
            {"session_ids": ["signed"]},
            "--session-ids: signed sessions need a secret key. "
            "Set BOKEH_SECRET_KEY to what `app-server secret` prints.",
        ),
        ({"ssl_keyfile": [__file__]}, "--ssl-keyfile: a key without a certificate. Give --ssl-certfile too."),
        (
            {"num_procs": ["4"], "dev": []},
            "--dev: reloading pages works with one process alone. Leave it out, or --num-procs.",
        ),
        (
            {"auth_module": ["auth.py"], "basic_auth": ["users"]},
            "--basic-auth: --auth-module already says how people log in. Leave one of them out.",
        ),
        (
            {"auth_header": ["X-User"]},
            "--auth-header: without a list of trusted proxies anybody could claim to be anybody. "
            "Give their addresses with --auth-header-from, such as 127.0.0.1.",
        ),
        (
            {"auth_header_from": ["127.0.0.1"]},
            "--auth-header-from: has no meaning without --auth-header. Give --auth-header too.",
        ),
        (
            {"oidc_allow": ["groups=staff"]},
            "--oidc-allow: has no meaning without --oidc-issuer. Give --oidc-issuer too.",
        ),
        (
            {"oidc_issuer": ["https://id.example.org"]},
            "--oidc-issuer: OpenID Connect needs a client id. Give the one that the provider chose with "
            "--oidc-client-id.",
        ),
        (
            {"oidc_issuer": ["https://id.example.org"], "oidc_client_id": ["plots"]},
            "--oidc-issuer: OpenID Connect needs the client's secret. Set APP_SERVER_OIDC_CLIENT_SECRET, or "
            "APP_SERVER_OIDC_CLIENT_SECRET_FILE to a file with it.",
        ),
        (
            {"basic_auth": ["users"]},
            "--basic-auth: logins are kept in signed cookies, which need a key. Set BOKEH_COOKIE_SECRET to what "
            "`app-server secret` prints, or BOKEH_COOKIE_SECRET_FILE to a file with it.",
        ),
    ],
)
def test_contradiction_is_refused_with_what_to_do(flags: dict[str, list[str]], message: str) -> None:
    assert fault(flags) == message


def test_signing_by_variable_needs_a_key_too() -> None:
    assert fault(environ={"BOKEH_SIGN_SESSIONS": "yes"}) == (
        "BOKEH_SIGN_SESSIONS: signed sessions need a secret key. "
        "Set BOKEH_SECRET_KEY to what `app-server secret` prints."
    )


def test_auth_module_that_is_missing_is_refused_and_not_ignored() -> None:
    assert fault(environ={"BOKEH_AUTH_MODULE": "/nowhere.py"}) == "BOKEH_AUTH_MODULE: /nowhere.py does not exist"


def test_secret_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("a long key\n", encoding="utf-8")
    assert resolve_settings({}, {"BOKEH_COOKIE_SECRET_FILE": str(path)}).cookie_secret == "a long key"


def test_file_of_the_secret_key_may_hold_the_key_before_it_too(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("the new key\nthe old key\n", encoding="utf-8")
    assert resolve_settings({}, {"BOKEH_SECRET_KEY_FILE": str(path)}).secret_key == "the new key\nthe old key"


def test_file_of_a_secret_that_cannot_be_used_is_refused_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("hush\nhush\n", encoding="utf-8")
    where = {"BOKEH_COOKIE_SECRET_FILE": str(path)}
    assert fault(environ=where) == f"BOKEH_COOKIE_SECRET_FILE: {path} does not hold one line with the secret"
    assert "hush" not in fault(environ={**where, "BOKEH_COOKIE_SECRET": "x"})
    assert fault(environ={"BOKEH_SECRET_KEY_FILE": "/nowhere"}) == "BOKEH_SECRET_KEY_FILE: /nowhere does not exist"


def test_trusted_proxies_may_stand_in_one_word_or_in_several() -> None:
    words = ["127.0.0.1,10.0.0.0/8", "unix"]
    settings = resolve_settings({"auth_header": ["X-User"], "auth_header_from": words}, {})
    assert settings.auth_header_from == ("127.0.0.1/32", "10.0.0.0/8", "unix")


@pytest.mark.parametrize(
    ("name", "word", "expected"),
    [
        ("auth_header_from", "10.0.0.1/8", "an address or a network such as 127.0.0.1 or 10.0.0.0/8, or 'unix'"),
        ("auth_header", "X User", "the name of a header, such as X-Forwarded-User"),
        ("oidc_issuer", "http://id.example.org", "an https:// address without '?' and '#' (http:// for this machine "
         "alone)"),
        ("oidc_scope", "profile", "scopes with spaces between them, 'openid' among them"),
        ("oidc_allow", "staff", "CLAIM=VALUE, such as email=*@example.org"),
    ],
)  # fmt: skip
def test_setting_for_logging_in_says_what_it_expects(name: str, word: str, expected: str) -> None:
    flag = f"--{name.replace('_', '-')}"
    assert fault({name: [word]}) == f"{flag}: expected {expected}, not {word!r}"


def test_bokeh_default_port_is_no_contradiction_to_a_unix_socket() -> None:
    assert resolve_settings({"unix_socket": ["/tmp/s"]}, {"BOKEH_DEFAULT_SERVER_PORT": "80"}).unix_socket == "/tmp/s"


@pytest.mark.parametrize("name", ["ssl_certfile", "index", "dev_watch"])
def test_missing_file_is_refused(name: str, tmp_path: Path) -> None:
    flag = next(setting.flag for setting in all_settings() if setting.name == name)
    assert fault({name: [f"{tmp_path}/gone"]}) == f"{flag}: {tmp_path}/gone does not exist"
    assert fault({name: [str(tmp_path)]}) == f"{flag}: {tmp_path} is not a file"


# The configuration file


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
        "BOKEH_ROOTDIR has no effect: it is for pages that are files",
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
    assert without_effect({variable: "1"}) == [
        f"{variable} is not a variable of this server, and has no effect. Did you mean {meant}?"
    ]


def test_variables_of_others_are_not_mentioned() -> None:
    known = [variable for setting in all_settings() for variable in setting.environment]
    others = (
        "APP_SERVER_PORT APP_SERVER_PORT_5006_TCP APP_SERVER_SERVICE_HOST APP_SERVER_RUNTIME_DIR APP_SERVER_LOG_LEVEL "
        "BOKEH_BROWSER BOKEH_DOCS_CDN BOKEH_EXTERNAL_URL BOKEH_SECRET_KEY_FILE BOKEH_VALIDATION_LEVEL REQUEST_TIMEOUT"
    ).split()
    assert without_effect(dict.fromkeys([*known, *others], "no")) == []
    assert without_effect({"APP_SERVER_REQEST_TIMEOUT": " "}) == []


def test_empty_file_sets_nothing(tmp_path: Path) -> None:
    assert from_config(config(tmp_path, "# nothing yet\n")) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port: 80\nkeep_alve: 3\n", "{path}:2: keep_alve: is not a setting. Did you mean keep_alive?"),
        ("quux: 3\n", "{path}:1: quux: is not a setting. docs/settings.md lists them."),
        ("use_config: x\n", "{path}:1: use_config: is not a setting. docs/settings.md lists them."),
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


def test_import_brings_neither_bokeh_nor_tornado() -> None:
    program = "import sys, app_server.settings; sys.exit(bool({'bokeh', 'tornado', 'yaml'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder that may not be entered, with a file, and a way there that may be."""
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o111)
    folder = tmp_path / "closed"
    (folder / "deep").mkdir(parents=True)
    for file in (folder / "deep" / "file.ico", tmp_path / "file.ico"):
        file.write_text("x")
        file.chmod(0o000)
    folder.chmod(0o000)
    yield folder
    folder.chmod(0o755)


FILES = [("ssl_certfile", "--ssl-certfile"), ("auth_module", "--auth-module"), ("index", "--index"),
         ("ico_path", "--ico-path"), ("basic_auth", "--basic-auth"), ("dev_watch", "--dev")]  # fmt: skip


@pytest.mark.parametrize(("name", "flag"), FILES)
def test_file_behind_a_closed_folder_is_not_said_to_be_missing(closed: Path, name: str, flag: str) -> None:
    path = closed / "deep" / "file.ico"
    more = {"cookie_secret": ["x" * 40]} if name == "basic_auth" else {}
    with not_as_root():
        assert fault({name: [str(path)], **more}) == (
            f"{flag}: {path} cannot be reached by this user. Give it the permission to enter {closed}."
        )
        assert fault({name: [str(closed.parent / "file.ico")], **more}).endswith("cannot be read by this user")
        assert fault({name: [str(closed.parent / "no.ico")], **more}).endswith("does not exist")


def test_secret_and_configuration_behind_a_closed_folder_are_not_said_to_be_missing(closed: Path) -> None:
    path = closed / "deep" / "file.ico"
    with not_as_root():
        for variable in ("BOKEH_SECRET_KEY_FILE", "BOKEH_COOKIE_SECRET_FILE", "BOKEH_SSL_PASSWORD_FILE"):
            assert fault(environ={variable: str(path)}).startswith(f"{variable}: {path} cannot be reached by this user")
        assert fault({"use_config": [str(path)]}) == f"--use-config: {path} cannot be read: Permission denied"


def test_application_behind_a_closed_folder_is_not_said_to_be_missing(closed: Path) -> None:
    with not_as_root():
        for path in (closed / "app.py", closed):
            with pytest.raises(OperatorError) as refused:
                load_application(path)
            assert refused.value.what in ("cannot be reached by this user", "may not be entered by this user")
        with pytest.raises(OperatorError, match="there is no such file or folder"):
            load_application(closed.parent / "no.py")
