"""`app-server deploy ansible`: what it refuses before it does anything, and what it writes down."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.load import from_values
from app_server.deployment.plan import Plan, resolve
from app_server.deployment.rollout import ansible
from app_server.deployment.rollout.compose import Store
from app_server.errors import OperatorError


def plan() -> Plan:
    """Of one application on this machine."""
    values = {"apps": {"board": "board.py"}, "public": "tools.example.org"}
    return resolve(from_values(values, "deploy.yaml"), regenerate=("app-server", "config"))


def test_playbooks_of_the_sources_are_found() -> None:
    assert {path.name for path in ansible.playbooks().glob("*.yml")} >= {"site.yml", "rollback.yml", "uninstall.yml"}


def test_playbook_that_fails_is_an_error_and_is_written_down(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ansible.write_inventory(plan(), store)
    with pytest.raises(OperatorError) as caught:
        ansible.play("false", "site.yml", store, [], failed="release 1 failed")
    hint = "Its last lines say why. Run it again when that is mended: what is done already is not done twice."
    assert str(caught.value) == f"ansible-playbook site.yml: ended with 1. {hint}"
    assert (
        (tmp_path / "log")
        .read_text(encoding="utf-8")
        .rstrip()
        .endswith(": release 1 failed (ansible-playbook ended with 1)")
    )


def test_roll_out_waits_for_nobody(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.locked(), pytest.raises(OperatorError, match="is rolling out just now"):
        ansible.roll_back(plan(), store, print)


def test_release_without_packages_touches_nothing(tmp_path: Path) -> None:
    (tmp_path / "board.py").write_text("", encoding="utf-8")
    store = Store(tmp_path / "store")
    with pytest.raises(OperatorError, match="nothing says what the hosts install"):
        ansible.deploy(plan(), {}, tmp_path, store, print, packages=[], include=[])
    assert not store.folder.exists()
