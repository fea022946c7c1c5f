"""The log's level, format and file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from app_server.cli.running.logs import TRACE, configure_logging
from app_server.errors import OperatorError
from app_server.settings import Settings


@pytest.fixture(autouse=True)
def root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_log_goes_to_stderr_with_its_level(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="%(levelname)s %(message)s"))
    logging.getLogger("app").info("there are %d", 3)
    logging.getLogger("app").debug("not this")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "INFO there are 3\n")


def test_log_is_appended_to_its_file(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_text("before\n", encoding="utf-8")
    configure_logging(Settings(log_file=str(path), log_format="%(message)s", log_level="warning"))
    logging.getLogger("app").warning("aïe")
    logging.getLogger("app").info("not this")
    assert path.read_text(encoding="utf-8") == "before\naïe\n"


def test_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        configure_logging(Settings(log_file=str(tmp_path)))
    assert str(caught.value) == f"--log-file: {tmp_path} cannot be written: Is a directory"


def test_trace_is_finer_than_debug() -> None:
    configure_logging(Settings(log_level="trace"))
    assert logging.getLogger().level == TRACE < logging.DEBUG
    assert logging.getLevelName(TRACE) == "TRACE"


def test_setting_up_twice_writes_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="%(message)s"))
    configure_logging(Settings(log_format="%(message)s"))
    logging.getLogger("app").info("once")
    assert capsys.readouterr().err == "once\n"
