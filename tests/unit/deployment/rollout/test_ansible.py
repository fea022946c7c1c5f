"""`app-server deploy ansible`: what it refuses before it does anything, and what it writes down."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from app_server.deployment.load import from_values
from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.plan.values import Plan
from app_server.deployment.progress.progress import Progress, silent
from app_server.deployment.progress.shown import Lines
from app_server.deployment.rollout import ansible
from app_server.deployment.rollout.history import Entry, append, operator, read
from app_server.deployment.rollout.store import Store
from app_server.errors import OperatorError


def plan(**values: Any) -> Plan:
    """Of one application on this machine, or as `values` say."""
    values = {"apps": {"board": "board.py"}, "public": "tools.example.org", **values}
    return resolve_plan(from_values(values, "deploy.yaml"), regenerate=("app-server", "config"))


def test_playbooks_of_the_sources_are_found() -> None:
    assert {path.name for path in ansible.playbooks().glob("*.yml")} >= {"site.yml", "rollback.yml", "uninstall.yml"}


def test_playbook_that_fails_is_an_error_and_is_written_down(tmp_path: Path) -> None:
    store = Store(tmp_path, "site")
    ansible.write_inventory(plan(), store)
    with pytest.raises(OperatorError) as caught:
        ansible.play("false", "site.yml", store, [], silent(), what="release 1")
    hint = f"{tmp_path}/ansible.log says why. Run it again when that is fixed: finished steps are not repeated."
    assert str(caught.value) == f"ansible-playbook site.yml: ended with 1. {hint}"
    assert (
        (tmp_path / "log")
        .read_text(encoding="utf-8")
        .rstrip()
        .endswith(": release 1 failed (ansible-playbook ended with 1)")
    )


def test_secrets_of_applications_that_are_missing_stop_it_at_once(tmp_path: Path) -> None:
    def deploy() -> None:
        whole = replace(plan(service={"secrets": "apps.env"}), source=str(tmp_path / "deploy.yaml"))
        ansible.deploy(whole, {}, tmp_path, Store(tmp_path, "site"), silent(), packages=[], include=[])

    with pytest.raises(OperatorError) as caught:
        deploy()
    assert str(caught.value) == (
        "service.secrets: apps.env does not exist. Create it, or set the absolute path of a file that each host has."
    )
    (tmp_path / "apps.env").touch()
    with pytest.raises(OperatorError) as caught:
        deploy()
    assert "board.py" in str(caught.value) and "apps.env" not in str(caught.value)


FAILING = """\
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Try the candidate
      ansible.builtin.command:
        argv: [sh, -c, "echo said; echo 'app-server: instance a1: the trial failed' >&2; exit 1"]
      changed_when: false
"""


def test_playbook_that_fails_ends_with_what_its_task_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    playbooks, store = tmp_path / "playbooks", Store(tmp_path / "store", "site")
    playbooks.mkdir()
    (playbooks / "callback_plugins").symlink_to(ansible.playbooks() / "callback_plugins")
    (playbooks / "ansible.cfg").symlink_to(ansible.playbooks() / "ansible.cfg")
    (playbooks / "site.yml").write_text(FAILING, encoding="utf-8")
    store.folder.mkdir()
    hosts = f"all: {{hosts: {{localhost: {{ansible_python_interpreter: {sys.executable}}}}}}}\n"
    (store.folder / ansible.INVENTORY).write_text(hosts, encoding="utf-8")
    monkeypatch.setattr(ansible, "playbooks", lambda: playbooks)
    said: list[str] = []
    with pytest.raises(OperatorError) as caught:
        ansible.play(ansible.program(), "site.yml", store, [], Progress(Lines(said.append)), what="release 1")
    hint = "Run it again when that is fixed: finished steps are not repeated."
    assert str(caught.value) == (
        f"ansible-playbook site.yml: localhost: Try the candidate: instance a1: the trial failed. {hint}"
    )
    # What was done is shown while it is done, and what Ansible has printed when it fails.
    assert said[0] == "  localhost" and said[1].startswith("    Try the candidate: failed on localhost  "), said
    assert "ansible-playbook site.yml: failed after " in said[-1] and "    | PLAY RECAP" in said[-1]
    assert "the trial failed" in (store.folder / ansible.LOG).read_text(encoding="utf-8")


HOSTS = {
    "count": 1,
    "hosts": [{"name": "one", "address": "10.0.0.1"}, {"name": "two", "address": "10.0.0.2"}],
}


def test_host_that_is_no_longer_there_is_kept_in_mind_until_it_is_left(tmp_path: Path) -> None:
    store = Store(tmp_path, "site")
    ansible.write_inventory(plan(instances=HOSTS), store)
    assert not (tmp_path / "removed.yml").exists()
    fewer = {"count": 1, "hosts": HOSTS["hosts"][:1]}
    for _ in range(2):  # a run that fails, and the next one
        ansible.write_inventory(plan(instances=fewer), store)
        children = yaml.safe_load((tmp_path / "removed.yml").read_text(encoding="utf-8"))["all"]["children"]
        assert list(children["removed"]["hosts"]) == ["two"]
        variables = children["removed"]["hosts"]["two"]
        assert (variables["app_server_name"], variables["app_server_instances"][0]["name"]) == ("app-server", "b1")
        assert children["removed_proxies"] == {"hosts": {}}
    ansible.play("true", "site.yml", store, [], silent(), what="release 2")
    assert not (tmp_path / "removed.yml").exists()
    # One that comes back is not left.
    ansible.write_inventory(plan(instances=HOSTS), store)
    assert not (tmp_path / "removed.yml").exists()


def test_store_of_another_deployment_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "release"
    place.mkdir()
    (place / "release.json").write_text('{"name": "site"}', encoding="utf-8")
    with Store(tmp_path, "site").locked():
        pass
    with pytest.raises(OperatorError) as caught, Store(tmp_path, "site-staging").locked():
        pass
    assert str(caught.value) == (
        f"{tmp_path}: holds the releases of site, and this is site-staging. Use a separate --store for each."
    )


def test_log_names_the_deployment(tmp_path: Path) -> None:
    Store(tmp_path, "site-staging").note("release 1")
    assert (tmp_path / "log").read_text(encoding="utf-8").endswith(": site-staging: release 1\n")


def test_roll_out_waits_for_nobody(tmp_path: Path) -> None:
    store = Store(tmp_path, "site")
    assert store.roller() is None
    with store.locked():
        assert store.roller() == f"{operator()}, process {os.getpid()}"
        with pytest.raises(OperatorError, match="is already rolling out"):
            ansible.roll_back(plan(), store, silent())
    assert store.roller() is None


def test_release_is_restored_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, played = Store(tmp_path, "app-server"), list[str]()
    for release, called in (("4f2a4f2a4f2a", "spring"), ("aaaaaaaaaaaa", "summer"), ("4f2a4f2a4f2a", "autumn")):
        append(tmp_path, Entry("2026", "ann", "ansible", "deploy", "done", release=release, name=called))
    assert [each.called for each in ansible.releases(store)] == ["aaaaaaaaaaaa (summer)", "4f2a4f2a4f2a (autumn)"]

    def play(command: str, playbook: str, _: Store, variables: list[str], *words: Any, **more: Any) -> float:
        played.extend([playbook, *variables])
        return 1.0

    monkeypatch.setattr(ansible, "play", play)
    for to in ("autumn", "", "0123456789ab"):
        assert ansible.roll_back(plan(), store, silent(), to=to) == 0
    assert played == [
        "rollback.yml", "app_server_back_to=4f2a4f2a4f2a", "rollback.yml",
        "rollback.yml", "app_server_back_to=0123456789ab",
    ]  # fmt: skip
    done = [(each.action, each.release, each.name) for each in read(tmp_path)[3:]]
    assert done == [("rollback", "4f2a4f2a4f2a", "autumn"), ("rollback", "", ""), ("rollback", "0123456789ab", "")]
    with pytest.raises(OperatorError, match="no release is called 'winter'"):
        ansible.roll_back(plan(), store, silent(), to="winter")


def test_release_without_packages_touches_nothing(tmp_path: Path) -> None:
    (tmp_path / "board.py").write_text("", encoding="utf-8")
    store = Store(tmp_path / "store", "site")
    with pytest.raises(OperatorError, match="it is not known what the hosts install"):
        ansible.deploy(plan(), {}, tmp_path, store, silent(), packages=[], include=[])
    assert not store.folder.exists()
