"""What operators have done, in the log, in memory and in a file."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from app_server.errors import OperatorError
from app_server.server.console.audit import Audit, check_audit_file

ENTRY = {"time": "1970-01-01T00:01:40Z", "who": "ann", "act": "end", "on": "session abc of /a", "result": "ended"}


def noted(audit: Audit) -> None:
    audit.note("ann", "end", "session abc of /a", "ended")


def test_act_is_kept_logged_and_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "audit"
    audit = Audit(str(path), lambda: 100.0)
    with caplog.at_level(logging.INFO):
        noted(audit)
    assert audit.entries() == [ENTRY]
    assert [json.loads(line) for line in path.read_text().splitlines()] == [ENTRY]
    assert caplog.messages == ["Operator ann: end, on session abc of /a: ended"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_next_run_shows_what_the_last_one_has_written(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    noted(Audit(str(path), lambda: 100.0))
    with path.open("a") as file:
        file.write('not json\n[1]\n{"time": 1}\n')
    assert Audit(str(path)).entries() == [ENTRY]


def test_rotated_file_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    audit = Audit(str(path), lambda: 100.0)
    noted(audit)
    path.rename(tmp_path / "audit.1")
    noted(audit)
    assert json.loads(path.read_text()) == ENTRY


def test_line_feed_in_a_message_makes_no_second_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "audit"
    with caplog.at_level(logging.INFO):
        Audit(str(path)).note("ann", "message: a\nb", "x", "shown")
    assert len(path.read_text().splitlines()) == 1
    assert "a\\nb" in caplog.messages[0]


def test_file_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        check_audit_file(str(tmp_path / "no" / "audit"))
    assert str(caught.value) == f"--console-audit: {tmp_path}/no/audit cannot be written: No such file or directory"


def test_act_is_logged_if_the_file_has_become_unwritable(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    audit = Audit(str(tmp_path / "no" / "audit"))
    noted(audit)
    assert "What an operator did is only in the log" in caplog.text
    assert len(audit.entries()) == 1
