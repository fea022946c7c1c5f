"""What gunicorn's own configuration means here."""

from __future__ import annotations

import io
import logging
import os
import socket
import types
from pathlib import Path

import pytest
from gunicorn.config import Config

from app_server.gunicorn.configured import base_dir, log_as, made_runtime_dir, with_address
from app_server.processes.runtime_dir import VARIABLE
from app_server.settings import Settings
from tests.support.short_paths import tmp_path as tmp_path


def test_the_address_and_tls_are_gunicorns(tmp_path: Path) -> None:
    cfg = Config()
    with socket.create_server(("127.0.0.1", 0)) as sock:
        settings = with_address(Settings(), cfg, [sock])
        assert (settings.address, settings.port) == sock.getsockname()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        cfg.set("certfile", "cert.pem")
        cfg.set("keyfile", "key.pem")
        settings = with_address(Settings(), cfg, [sock])
    assert settings.unix_socket == str(tmp_path / "socket")
    assert (settings.ssl_certfile, settings.ssl_keyfile) == ("cert.pem", "key.pem")


def test_workers_of_another_user_meet_in_that_users_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cfg = types.SimpleNamespace(uid=os.geteuid() + 1)
    monkeypatch.delenv(VARIABLE, raising=False)
    assert made_runtime_dir(cfg) is None
    assert base_dir(cfg).name == f"app-server-{os.geteuid() + 1}"
    monkeypatch.setenv(VARIABLE, str(tmp_path / "run"))
    assert base_dir(cfg) == tmp_path / "run"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(), "gunicorn: %(message)s"),
        (Settings(log_json=True), "JsonFormatter"),
        (Settings(log_format="%(message)s!"), "%(message)s!"),
    ],
)
def test_lines_go_where_gunicorns_go_in_its_format_unless_settings_say_otherwise(
    settings: Settings, expected: str
) -> None:
    logger, root, ours = logging.getLogger("gunicorn.error"), logging.getLogger(), logging.getLogger("app_server")
    before = logger.handlers, root.handlers, root.level, ours.level
    sink = logging.StreamHandler(io.StringIO())
    sink.setFormatter(logging.Formatter("gunicorn: %(message)s"))
    try:
        logger.handlers, root.handlers = [sink], []
        log_as(settings, None)
        assert root.handlers == [sink]
        assert sink.formatter is not None
        assert expected in (sink.formatter._fmt, type(sink.formatter).__name__)
        for level, number in (("trace", 9), ("debug", logging.DEBUG)):
            log_as(Settings(log_level=level), None)
            assert ours.level == number
    finally:
        logger.handlers, root.handlers, level, own = before
        root.setLevel(level)
        ours.setLevel(own)
