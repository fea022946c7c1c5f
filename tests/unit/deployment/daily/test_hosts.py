"""Hosts, one of which is this machine: what is asked of them, and what is said of those that do not answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app_server.deployment.daily import scripts, ssh
from app_server.deployment.daily.deployed import LogsWanted
from app_server.deployment.daily.hosts import HostsDeployment
from app_server.errors import OperatorError, OperatorErrors
from tests.support.ports import free_port
from tests.unit.deployment.daily.planned import plan

HERE = "- {name: one, address: 127.0.0.1, ssh: localhost}"
AWAY = "- {name: two, address: 127.0.0.1, ssh: 'admin@127.0.0.1:PORT'}"
TEXT = """
name: site
apps: {who: who.py}
public: foo.com
maintenance: {file: FILE}
service: {manager: MANAGER}
instances:
  count: 2
  hosts: [HERE, AWAY]
"""


def deployment(folder: Path, manager: str = "systemd", hosts: str = "") -> HostsDeployment:
    """A deployment whose proxy is on this machine, and whose other host has nobody who listens."""
    text = TEXT.replace("FILE", str(folder / "closed" / "maintenance")).replace("MANAGER", manager)
    text = text.replace("HERE", HERE.removeprefix("- ")).replace("AWAY", AWAY.removeprefix("- "))
    return HostsDeployment(plan(folder, text.replace("PORT", str(free_port())), "host"))


def test_site_is_closed_and_opened_on_the_proxys_host(tmp_path: Path) -> None:
    file, made = tmp_path / "closed" / "maintenance", deployment(tmp_path)
    for _ in range(2):
        assert made.set_maintenance(True) == ("one",) and file.exists()
    for _ in range(2):
        assert made.set_maintenance(False) == ("one",) and not file.exists()
    (tmp_path / "closed").rmdir()
    (tmp_path / "closed").touch()
    with pytest.raises(OperatorErrors) as caught:
        made.set_maintenance(True)
    assert str(caught.value).startswith("one: mkdir: ") and str(caught.value).endswith(". Nothing was done.")


def test_host_that_is_away_is_named_and_its_instances_are_unknown(tmp_path: Path) -> None:
    made = deployment(tmp_path)
    made.set_maintenance(True)
    state = made.state()
    assert [(each.name, each.host) for each in state.instances] == [
        ("a1", "one"), ("a2", "one"), ("b1", "two"), ("b2", "two"), ("proxy", "one"),
    ]  # fmt: skip
    assert {each.state for each in state.instances if each.host == "two"} == {"unknown"}
    assert len(state.faults) >= 1 and state.faults[-1].startswith("two: cannot be reached: "), state.faults
    assert not state.is_well


def test_instance_is_unknown_where_supervisor_is_away_and_not_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "_ROOT", f"{tmp_path}/{{name}}")
    (tmp_path / "site" / "running").mkdir(parents=True)
    (tmp_path / "site" / "running" / "a1").write_text("0123456789ab x\n", encoding="utf-8")
    state = deployment(tmp_path, "supervisor").state()
    found = {each.name: each.state for each in state.instances if each.host == "one"}
    assert (found["a1"], found["a2"]) == ("unknown", "not installed")
    assert not state.is_well


@pytest.mark.parametrize("manager", ["systemd", "supervisor"])
def test_logs_come_from_each_host_that_has_a_wanted_instance(tmp_path: Path, manager: str) -> None:
    made = deployment(tmp_path, manager)
    sources = made.logs(LogsWanted())
    assert [each.name for each in sources] == (["one", "two"] if manager == "systemd" else ["one", "one", "two", "two"])
    assert [each.words[0] for each in sources if each.name == "two"][0] == "ssh"
    [only] = made.logs(LogsWanted(names=("b2",), lines=3))
    assert only.name == "two"
    [proxy] = made.logs(LogsWanted(names=("proxy",)))
    assert proxy.read("a line") == ("proxy", "a line") and proxy.read("tail: cannot open") is None
    with pytest.raises(OperatorError, match="^c1: the deployment has no such instance. There are a1, a2, b1"):
        made.logs(LogsWanted(names=("c1",)))
    with pytest.raises(OperatorError, match="^--since: cannot choose lines of a file by their time"):
        made.logs(LogsWanted(names=("proxy",), since_s=5))


def test_command_is_for_the_host_of_its_instance(tmp_path: Path) -> None:
    made = deployment(tmp_path)
    assert made.command("a1", ["ls", "-l"], terminal=False)[0] == "sh"
    words = made.command("app-b1", ["ls"], terminal=True)
    assert words[0] == "ssh" and "-tt" in words and "admin@127.0.0.1" in words and "sudo --" in words[-1]
    with pytest.raises(OperatorError, match="^proxy: the deployment has no such instance. There are a1, a2, b1, b2.$"):
        made.command("proxy", ["ls"], terminal=False)


def test_ssh_is_used_as_ansible_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_SSH_COMMON_ARGS", "-o UserKnownHostsFile='/a b'")
    monkeypatch.setenv("ANSIBLE_PRIVATE_KEY_FILE", "/key")
    two = deployment(tmp_path).plan.machines[1]
    words = ssh.words_on(two, "echo $1", "it's")
    assert words[words.index("-i") + 1] == "/key" and "UserKnownHostsFile=/a b" in words and "-T" in words
    assert words[words.index("-p") + 1].isdigit() and "sudo -n -- sh -c" in words[-1]


def test_password_for_sudo_is_typed_where_ansible_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda prompt: "secret")
    (tmp_path / "password").write_text("from a file\n", encoding="utf-8")
    file = str(tmp_path / "password")
    assert ssh.password_of({}) is None and ssh.password_of({"ANSIBLE_BECOME_ASK_PASS": "false"}) is None
    assert ssh.password_of({"ANSIBLE_BECOME_ASK_PASS": "True", "ANSIBLE_BECOME_PASSWORD_FILE": file}) == "secret"
    assert ssh.password_of({"ANSIBLE_BECOME_PASSWORD_FILE": file}) == "from a file"
    with pytest.raises(OperatorError, match="/nowhere: cannot be read: No such file or directory$"):
        ssh.password_of({"ANSIBLE_BECOME_PASSWORD_FILE": "/nowhere"})
    made = replace(deployment(tmp_path), password="secret")
    [source] = made.logs(LogsWanted(names=("b1",)))
    assert "sudo -S -p ''" in source.words[-1] and source.typed == "secret\n" and "secret" not in str(source.words)
    answer = ssh.ask(made.plan.machines[0], "cat; echo done", "secret")
    assert (answer.said, answer.fault) == ("done\n", None)  # nothing here needs it, so the script does not get it


@pytest.mark.parametrize(
    ("status", "said", "fault"),
    [
        (255, "Warning: x\nssh: a: no route.\n", "one: cannot be reached: ssh: a: no route"),
        (1, "sudo: a password is required\n",
         "one: sudo asks for a password there; set ANSIBLE_BECOME_ASK_PASS=true to be asked for it"),
        (3, "\x1b[31mtouch: no\x1b[0m\n", "one: touch: no"),
        (4, "", "one: ended with 4"),
    ],
)  # fmt: skip
def test_fault_of_a_host_is_one_line(tmp_path: Path, status: int, said: str, fault: str) -> None:
    assert ssh.fault_of(deployment(tmp_path).plan.machines[0], status, said) == fault
