"""`app-server deploy status`, `maintenance`, `history`, `logs` and `exec`: what is asked for, and what is shown."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app_server.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from app_server.cli.daily import logs, target
from app_server.cli.daily.exec import with_secrets
from app_server.cli.daily.status import with_revisions
from app_server.deployment.daily.states import DeploymentState, InstanceState
from app_server.deployment.rollout.history import Entry, append
from app_server.deployment.rollout.store import Store
from app_server.errors import OperatorError
from tests.support.waiting import patience
from tests.unit.deployment.daily.planned import plan
from tests.unit.deployment.making import MINIMAL, planned

ANSIBLE = ("--target", "ansible")


def entry(action: str, **more: str) -> Entry:
    """Something that was done."""
    known = {"at": "2026-11-29T14:03:12+0100", "by": "ann", "target": "ansible", "result": "done"}
    return Entry(**{**known, **more}, action=action, seconds=61.0)  # type: ignore[arg-type]


def test_site_is_closed_and_opened_and_that_is_history(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for state in ("on", "on", "off"):
        assert main(["deploy", "maintenance", state, *ANSIBLE], {}) == EXIT_OK
        assert capsys.readouterr().out == f"maintenance is {state}: here\n"
        assert (place / "closed").exists() == (state == "on")
    assert main(["deploy", "history", "--json"], {}) == EXIT_OK
    actions = [each["action"] for each in json.loads(capsys.readouterr().out)]
    assert actions == ["maintenance on", "maintenance on", "maintenance off"]


def test_history_is_a_table_with_the_latest_first(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = place / "deployed" / "site"
    store.mkdir(parents=True)
    append(store, entry("deploy", release="1", revision="4f2a9c1d-dirty"))
    append(store, entry("deploy", release="2", result="failed", error="a1: no room"))
    append(store, entry("rollback", release="1", by="bob"))
    assert main(["deploy", "history", "--lines", "2"], {}) == EXIT_OK
    assert capsys.readouterr().out.splitlines() == [
        "WHEN                 WHO  TARGET   WHAT      RELEASE  REVISION  RESULT",
        "2026-11-29 14:03:12  bob  ansible  rollback  1                  done in 61 s",
        "2026-11-29 14:03:12  ann  ansible  deploy    2                  failed in 61 s",
        "    a1: no room",
    ]
    assert main(["deploy", "history", "--lines", "0"], {}) == EXIT_OK
    assert "4f2a9c1d-dirty" in capsys.readouterr().out


def test_target_is_where_it_was_rolled_out_to_last(place: Path) -> None:
    store = Store(place / "kept", "site")
    assert target.target_of(store) is None
    store.folder.mkdir()
    (store.folder / "inventory.yml").touch()
    assert target.target_of(store) == "ansible"
    store.path(1).mkdir(parents=True)
    store.make_current(1)
    assert target.target_of(store) == "compose"
    append(store.folder, entry("deploy", target="swarm"))
    append(store.folder, entry("maintenance on", target="compose"))
    assert target.target_of(store) == "swarm"


def test_deployment_of_which_nothing_is_there_is_one_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = place / "deployed" / "site"
    store.mkdir(parents=True)
    append(store, entry("deploy", release="4f2a"))
    assert main(["deploy", "status", "-f", str(place / "deploy.yaml")], {}) == EXIT_FAILED
    assert capsys.readouterr().err == (
        "app-server: site: nothing of site runs with ansible. `app-server deploy ansible` rolls it out.\n"
    )


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        (["status"], EXIT_USAGE, "PLACE/deployed/site: nothing was rolled out from here yet."
         " `app-server deploy compose` rolls it out. Name its target if that was done elsewhere: --target compose."),
        (["history"], EXIT_FAILED, "PLACE/deployed/site: nothing was rolled out from here yet"),
        (["history", "--lines", "x"], EXIT_USAGE, "--lines: expected a number, not 'x'"),
        (["status", "--target", "kubernetes"], EXIT_USAGE,
         "--target: expected one of compose, swarm, ansible, not 'kubernetes'"),
        (["maintenance"], EXIT_USAGE, "STATE: expected one of on, off. For example: app-server deploy maintenance on"),
        (["maintenance", "of"], EXIT_USAGE, "STATE: expected one of on, off, not 'of'. Did you mean off?"),
        (["logs", "-f", "deploy.yaml"], EXIT_USAGE,
         "deploy.yaml: is not an instance. Name the file with --file: -f follows the log here."),
        (["logs", *ANSIBLE, "--since", "soon"], EXIT_USAGE,
         "--since: 'soon' is not a time. Such as 10m, 2h or 2026-11-29T14:00."),
        (["logs", *ANSIBLE, "a9"], EXIT_FAILED, "a9: the deployment has no such instance. There are a1, proxy."),
        (["exec"], EXIT_USAGE, "INSTANCE: is required. `app-server deploy status` shows the instances."),
        (["exec", *ANSIBLE, "a1"], EXIT_USAGE, "COMMAND: is required without a terminal"),
        (["exec", *ANSIBLE, "a9", "ls", "-l"], EXIT_FAILED, "a9: the deployment has no such instance. There is a1."),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_line(
    place: Path, capsys: pytest.CaptureFixture[str], words: list[str], status: int, error: str
) -> None:
    assert main(["deploy", *words], {}) == status
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"app-server: {error.replace('PLACE', str(place))}\n")


def test_lines_begin_with_the_name_of_their_instance(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    show = logs.printer(argparse.Namespace(), {})
    for name, text in (("a1", "one"), ("sales-a1", "two"), ("a1", "three")):
        show(name, text)
    assert capsys.readouterr().out == "a1 | one\nsales-a1 | two\na1       | three\n"
    logs.printer(argparse.Namespace(json=True), {})("a1", "é\x1b")
    assert json.loads(capsys.readouterr().out) == {"instance": "a1", "text": "é\x1b"}
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    show = logs.printer(argparse.Namespace(), {})
    show("a1", "one")
    show("a2", "two")
    assert capsys.readouterr().out == "\x1b[36ma1 |\x1b[0m one\n\x1b[33ma2 |\x1b[0m two\n"


def test_wanted_lines_are_the_last_or_those_since_a_time() -> None:
    now_s = 1_000_000.5
    for word, seconds in (("30s", 30), ("10m", 600), ("10 min", 600), ("2h", 7200), ("3d", 259200)):
        assert logs.since(word, now_s) == 1_000_000 - seconds
    assert logs.since("2026-11-29T14:00+00:00", now_s) == 1795960800
    some = logs.wanted(argparse.Namespace(names=["a1"], instance=["a2"], follow=True), now_s)
    assert (some.names, some.follow, some.lines, some.since_s) == (("a1", "a2"), True, 100, None)
    later = logs.wanted(argparse.Namespace(names=[], since=["1s"], lines=["5"]), now_s)
    assert (later.lines, later.since_s, later.follow) == (5, 999_999, False)
    assert logs.wanted(argparse.Namespace(names=[], since=["1s"]), now_s).lines is None
    with pytest.raises(OperatorError):
        logs.since("10x", now_s)


@pytest.fixture
def logging_place(place: Path) -> Path:
    """The same, with the logs of two instances under supervisor."""
    text = (place / "deploy.yaml").read_text(encoding="utf-8").replace("{hosts", "{count: 2, hosts")
    text += f"service: {{manager: supervisor}}\nlogs: {{dir: {place}}}\n"
    (place / "deploy.yaml").write_text(text, encoding="utf-8")
    for name in ("a1", "a2"):
        (place / f"{name}.log").write_text(f"{name} one\n{name} two\n", encoding="utf-8")
    return place


def test_logs_of_all_instances_are_printed(logging_place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "logs", *ANSIBLE, "--lines", "1"], {}) == EXIT_OK
    assert sorted(capsys.readouterr().out.splitlines()) == ["a1 | a1 two", "a2 | a2 two"]
    (logging_place / "a2.log").unlink()
    assert main(["deploy", "logs", *ANSIBLE, "--json", "--lines", "0"], {}) == EXIT_FAILED
    captured = capsys.readouterr()
    assert [json.loads(line) for line in captured.out.splitlines()] == [
        {"instance": "a1", "text": "a1 one"}, {"instance": "a1", "text": "a1 two"},
    ]  # fmt: skip
    assert captured.err.startswith("app-server: here: tail: cannot open '") and captured.err.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, None])
def test_followed_logs_leave_no_process_however_they_end(logging_place: Path, number: int | None) -> None:
    words = [sys.executable, "-m", "app_server", "deploy", "logs", "-f", *ANSIBLE]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as it:  # fmt: skip
        assert it.stdout is not None and it.stderr is not None
        assert sorted(it.stdout.readline() for _ in range(4))[0] == "a1 | a1 one\n"
        with (logging_place / "a2.log").open("a", encoding="utf-8") as log:
            log.write("a2 three\n")
        assert it.stdout.readline() == "a2 | a2 three\n"
        if number is not None:
            it.send_signal(number)
        else:
            it.stdout.close()  # as `| head` does
            with (logging_place / "a1.log").open("a", encoding="utf-8") as log:
                log.write("a1 for no one\n")
        assert it.wait(patience(20)) == (0 if number is None else 128 + number)
        assert it.stderr.read() == ""
        assert subprocess.run(["pgrep", "--session", str(it.pid)], capture_output=True, check=False).stdout == b""


def test_revision_of_an_instance_is_that_of_its_release(tmp_path: Path) -> None:
    store = Store(tmp_path, "site")
    append(tmp_path, entry("deploy", release="2", revision="4f2a-dirty"))
    found = InstanceState("a1", "", "healthy", release="2"), InstanceState("a2", "", "healthy", release="9")
    state = DeploymentState("site", "ansible", "", "off", found)
    planned = plan(tmp_path)
    known = with_revisions(state, target.Asked("ansible", planned, store))
    assert [each.revision for each in known.instances] == ["4f2a-dirty", ""]
    # Tags of images are not numbers of releases.
    assert with_revisions(state, target.Asked("swarm", planned, store)) is state


def test_command_in_the_place_of_an_instance_has_the_secrets_of_applications(tmp_path: Path) -> None:
    plain, secret = planned(tmp_path), planned(tmp_path, f"{MINIMAL}service: {{secrets: .env}}\n")
    assert with_secrets(plain, "a1", ["sh"]) == ["sh"]
    assert with_secrets(secret, "a1", ["ls", "-l"]) == ("app-server", "env", "--", "ls", "-l")
    assert with_secrets(secret, "proxy", ["sh"]) == ["sh"], "the proxy has none"
