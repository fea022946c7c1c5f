"""What is run on hosts, and how its output is read; scripts run in this machine's own shell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app_server.deployment.daily import scripts
from app_server.deployment.daily.deployed import LogsWanted

SYSTEMD = """\
Id=site@a1.service
LoadState=loaded
ActiveState=active
SubState=running
ActiveEnterTimestamp=@1700000000
NRestarts=2

Id=site@a2.service
LoadState=loaded
ActiveState=activating
SubState=auto-restart
ActiveEnterTimestamp=
NRestarts=7

Id=site@a3.service
LoadState=not-found
ActiveState=inactive
SubState=dead
ActiveEnterTimestamp=
NRestarts=0

release a1 4f2a
release
maintenance on
"""
SUPERVISOR = """\
1700000100
site-a1                          RUNNING   pid 123, uptime 1 day, 0:01:02
site-a2                          FATAL     Exited too quickly (process log may have details)
maintenance off
"""


def test_states_of_units_are_read() -> None:
    assert scripts.services_of(SYSTEMD) == {
        "site@a1": scripts.ServiceState("running", 1700000000.0, 2),
        "site@a2": scripts.ServiceState("activating (auto-restart)", None, 7),
        "site@a3": scripts.NO_SERVICE,
    }
    assert scripts.releases_of(SYSTEMD) == {"a1": "4f2a"}
    assert scripts.is_closed(SYSTEMD) and scripts.is_there(SYSTEMD)


def test_states_of_supervisors_programs_are_read() -> None:
    assert scripts.services_of(SUPERVISOR) == {
        "site-a1": scripts.ServiceState("running", 1700000100 - 86462.0),
        "site-a2": scripts.ServiceState("fatal"),
    }
    assert not scripts.is_closed(SUPERVISOR) and not scripts.is_there(SUPERVISOR)


def test_look_prints_what_is_read(tmp_path: Path) -> None:
    file = tmp_path / "it's closed"
    for is_supervised in (True, False):
        script = scripts.look_script(
            "site", {"a1": "site@a1.service"}, str(file), proxy="nginx", is_supervised=is_supervised
        )
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert not scripts.is_closed(done.stdout) and not scripts.is_there(done.stdout)
        file.touch()
        assert scripts.is_closed(
            subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
        )
        file.unlink()


def test_journal_is_asked_for_the_wanted_lines() -> None:
    units = {"site@a1.service": "a1", "site@a2.service": "a2"}
    text = scripts.journal_script(units, LogsWanted(follow=True, lines=5, since_s=7))
    assert text.startswith("exec journalctl --quiet ") and text.endswith(" --follow --lines=10 --since=@7")
    assert scripts.journal_script(units, LogsWanted(follow=True)).endswith(" --follow --no-tail")
    read = scripts.reader_of_journal(units)
    assert read(json.dumps({"_SYSTEMD_UNIT": "site@a1.service", "MESSAGE": "ready"})) == ("a1", "ready")
    assert read(json.dumps({"_SYSTEMD_UNIT": "init.scope", "UNIT": "site@a2.service", "MESSAGE": "Started"})) == (
        "a2", "Started",
    )  # fmt: skip
    assert read(json.dumps({"_SYSTEMD_UNIT": "site@a1.service", "MESSAGE": [104, 105, 255]})) == ("a1", "hi\ufffd")
    assert read(json.dumps({"_SYSTEMD_UNIT": "ssh.service", "MESSAGE": "x"})) is None and read("sudo: no") is None


@pytest.mark.parametrize(("message", "text"), [(None, ""), (["one", [50, 255]], "one 2\ufffd"), ([], "")])
def test_unusual_messages_of_the_journal_are_read(message: object, text: str) -> None:
    read = scripts.reader_of_journal({"site@a1.service": "a1"})
    assert read(json.dumps({"_SYSTEMD_UNIT": "site@a1.service", "MESSAGE": message})) == ("a1", text)
    assert read("7") is None


def test_long_lines_of_the_journal_are_asked_for_as_a_whole() -> None:
    assert " --all " in scripts.journal_script({"site@a1.service": "a1"}, LogsWanted())


def test_end_of_files_is_printed(tmp_path: Path) -> None:
    (tmp_path / "a b.log").write_text("1\n2\n3\n", encoding="ascii")
    for lines, printed in ((2, "2\n3\n"), (None, "1\n2\n3\n")):
        script = scripts.tail_script([str(tmp_path / "a b.log")], LogsWanted(lines=lines))
        assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == printed
    assert " -F " in scripts.tail_script(["x"], LogsWanted(follow=True))


def test_command_gets_the_place_and_the_variables_of_a_process(tmp_path: Path) -> None:
    words = ["sh", "-c", 'pwd; echo "$OWN $PATH ${NOTIFY_SOCKET-none}"; cat; exit 9']
    about = json.dumps({"bin": "/opt/x/bin", "words": words, "name": "a1"})
    env = {"PATH": "/usr/bin:/bin", "OWN": "two words", "NOTIFY_SOCKET": "/run/x"}
    with subprocess.Popen(["sleep", "600"], cwd=tmp_path, env=env) as process:
        script = f"pid={process.pid}\n{scripts.ENTER}"
        done = subprocess.run(
            ["sh", "-c", script, "sh", about], input="typed\n", capture_output=True, text=True, check=False
        )
        process.kill()
    assert (done.returncode, done.stderr) == (9, "")
    assert done.stdout == f"{tmp_path}\ntwo words /opt/x/bin:/usr/bin:/bin none\ntyped\n"


@pytest.mark.parametrize("pid", ["0", ""])
def test_command_for_an_instance_that_does_not_run_is_one_line(pid: str) -> None:
    about = json.dumps({"bin": "/opt/x/bin", "words": ["true"], "name": "a1"})
    done = subprocess.run(
        ["sh", "-c", f"pid={pid}\n{scripts.ENTER}", "sh", about], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "app-server: a1: is not running. `app-server deploy logs` says why.\n"


def test_process_of_a_service_is_asked_of_its_manager() -> None:
    assert scripts.pid_script("site@a1.service", is_supervised=False) == (
        "pid=$(systemctl show -p MainPID --value site@a1.service)"
    )
    script = scripts.pid_script("site-a1", is_supervised=True) + '; echo "$pid"'
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True, env={"PATH": "/none"})
    assert done.stdout == "0\n" and sys.platform == "linux"
