"""Which source applies, and how each is read."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app_server.settings import (
    Settings,
    naming_env_file,
    resolve_settings,
    variables_of,
    with_signing_key,
)
from tests.unit.settings.faulty import config, fault, refusal


def test_nothing_given_means_the_defaults() -> None:
    assert resolve_settings({}, {}) == Settings()


def test_flag_precedes_environment_precedes_file_precedes_default(tmp_path: Path) -> None:
    path = config(tmp_path, "log_level: error\nport: 1\nprefix: /file\n")
    flags = {"use_config": [path], "log_level": ["debug"]}
    environ = {"BOKEH_PY_LOG_LEVEL": "warning", "BOKEH_DEFAULT_SERVER_PORT": "2"}
    settings = resolve_settings(flags, environ)
    assert (settings.log_level, settings.port, settings.prefix, settings.route) == ("debug", 2, "/file", None)


def test_empty_variable_is_ignored() -> None:
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


def test_flag_for_session_ids_precedes_the_variable_for_signing() -> None:
    environ = {"BOKEH_SIGN_SESSIONS": "yes", "BOKEH_SECRET_KEY": "k"}
    assert resolve_settings({"session_ids": ["external-signed"]}, environ).session_ids == "external-signed"
    assert resolve_settings({"session_ids": ["unsigned"]}, environ).session_ids == "unsigned"


@pytest.mark.parametrize(("words", "watched"), [([], ()), ([__file__], (__file__,))])
def test_dev_flag_takes_files_to_watch_or_none(words: list[str], watched: tuple[str, ...]) -> None:
    settings = resolve_settings({"dev_watch": words}, {})
    assert (settings.dev, settings.dev_watch) == (True, watched)


def test_secret_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("a long key\n", encoding="utf-8")
    assert resolve_settings({}, {"BOKEH_COOKIE_SECRET_FILE": str(path)}).cookie_secret == "a long key"


def test_address_of_the_store_may_come_from_a_file_and_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.write_text("redis://:hunter2@redis.example.org\n", encoding="utf-8")
    settings = resolve_settings({}, {"APP_SERVER_STORE_FILE": str(path)})
    assert settings.store == "redis://:hunter2@redis.example.org" and "hunter2" not in repr(settings)


def test_file_of_the_secret_key_may_hold_the_key_before_it_too(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("the new key\nthe old key\n", encoding="utf-8")
    assert resolve_settings({}, {"BOKEH_SECRET_KEY_FILE": str(path)}).secret_key == "the new key\nthe old key"


def test_byte_order_mark_of_a_file_does_not_belong_to_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"\xef\xbb\xbfthe key\r\n")
    assert resolve_settings({}, {"BOKEH_SECRET_KEY_FILE": str(path)}).secret_key == "the key"


def test_file_of_a_secret_that_cannot_be_used_is_refused_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("hush\nhush\n", encoding="utf-8")
    where = {"BOKEH_COOKIE_SECRET_FILE": str(path)}
    assert fault(environ=where) == f"BOKEH_COOKIE_SECRET_FILE: {path} must contain one line with the secret"
    assert "hush" not in fault(environ={**where, "BOKEH_COOKIE_SECRET": "x"})
    assert fault(environ={"BOKEH_SECRET_KEY_FILE": "/nowhere"}) == "BOKEH_SECRET_KEY_FILE: /nowhere does not exist"


def test_trusted_proxies_may_stand_in_one_word_or_in_several() -> None:
    words = ["127.0.0.1,10.0.0.0/8", "unix"]
    settings = resolve_settings({"auth_header": ["X-User"], "auth_header_from": words}, {})
    assert settings.auth_header_from == ("127.0.0.1/32", "10.0.0.0/8", "unix")


def test_import_brings_neither_bokeh_nor_tornado() -> None:
    program = "import sys, app_server.settings; sys.exit(bool({'bokeh', 'tornado', 'yaml'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("name", ["APP_SERVER_ENV_FILE", "APP_SERVER_USE_CONFIG"])
def test_file_of_variables_cannot_say_which_files_are_read(tmp_path: Path, name: str) -> None:
    file = tmp_path / ".env"
    file.write_text(f"A=1\n{name}=other\n")
    assert refusal(lambda: variables_of({"env_file": [str(file)]}, {})) == (
        f"{file}: {name}: names a file that is read before this one. "
        "Leave it out. Set it in the environment, or use the flag."
    )
    # A deployment has both variables; those of the file have no effect.
    assert variables_of({"env_file": [str(file)]}, {name: "none"})["A"] == "1"


def test_wrong_value_in_a_file_of_variables_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("APP_SERVER_NUM_PROCS=x\nPORT=http\n")
    flags = {"env_file": [str(file)]}
    variables = variables_of(flags, {})

    def resolve(environ: dict[str, str]) -> None:
        with naming_env_file(flags, variables, environ):
            resolve_settings(flags, {**variables, **environ}, on_platform=True)

    number = "APP_SERVER_NUM_PROCS: expected a whole number from 0 to 1024, not "
    assert refusal(lambda: resolve({})) == f"{file}: {number}'x'"
    assert refusal(lambda: resolve({"APP_SERVER_NUM_PROCS": "y"})) == f"{number}'y'", "not the file's fault"
    assert refusal(lambda: resolve({"APP_SERVER_NUM_PROCS": "1"})).startswith(f"{file}: PORT: expected a whole number")


@pytest.mark.parametrize(("set_already", "in_file"), [("", "_FILE"), ("_FILE", "")])
def test_secret_in_the_environment_replaces_that_of_a_file_by_either_name(
    tmp_path: Path, set_already: str, in_file: str
) -> None:
    file, key = tmp_path / ".env", tmp_path / "key"
    key.write_text("k" * 40)
    file.write_text(f"A=1\nBOKEH_SECRET_KEY{in_file}={key}\n")
    environ = {f"BOKEH_SECRET_KEY{set_already}": str(key)}
    assert variables_of({"env_file": [str(file)]}, environ) == {"A": "1"}
    assert len(variables_of({"env_file": [str(file)]}, {})) == 2
