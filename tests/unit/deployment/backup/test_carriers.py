"""The commands that reach a deployment's sessions and files, of which one host is this machine."""

from __future__ import annotations

import io
import json
import sys
import tempfile
from pathlib import Path

import pytest

from app_server.cli import EXIT_OK, EXIT_USAGE, main
from app_server.deployment.backup.carriers import Carrier, in_container, machine_of, on_host, reason_of
from app_server.deployment.rollout.store import Store
from app_server.errors import OperatorError
from tests.unit.cli.deploying.test_backup import save, saved
from tests.unit.deployment.daily.planned import plan

TEXT = """
name: tools
apps: {{myapp: myapp.py}}
public: tools.example.org
paths: {{command: {command}, state: {home}}}
secrets: {{secret_key: {{file: {home}/secret_key}}}}
instances: {{hosts: [{hosts}]}}
{more}
"""
HERE = "{name: here, address: 127.0.0.1, ssh: localhost}"
AWAY = "{name: away, address: 10.0.0.2, ssh: admin@10.0.0.2}"


def text(home: Path, *hosts: str, more: str = "") -> str:
    """A deployment whose hosts have this Python's app-server."""
    command = json.dumps([sys.executable, "-m", "app_server"])
    return TEXT.format(command=command, home=home, hosts=", ".join(hosts), more=more)


def test_host_is_backed_up_and_restored_by_its_own_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    old, new = tmp_path / "old", tmp_path / "new"
    save(old / "sessions", b"journal")
    (old / "secret_key").write_text("key", encoding="utf-8")
    (tmp_path / "deploy.yaml").write_text(text(old, HERE, AWAY), encoding="utf-8")
    words = ["--target", "ansible", "--host", "here"]
    assert main(["backup", "x.backup", *words], {}) == EXIT_OK
    assert capsys.readouterr().err == "x.backup: 1 session, 0 bookmarks, secrets.secret_key\n"
    (new / "sessions").mkdir(parents=True, mode=0o700)
    (new / "secret_key").write_text("another", encoding="utf-8")
    (tmp_path / "deploy.yaml").write_text(text(new, HERE), encoding="utf-8")
    assert main(["restore", "x.backup", *words], {}) != EXIT_OK
    assert capsys.readouterr().err == (
        f"app-server: here: {new}/secret_key: exists, and is not what the backup has. "
        "Nothing was restored. Move it away, or replace such files with --force\n"
    )
    assert main(["restore", "x.backup", *words, "--force"], {}) == EXIT_OK
    assert capsys.readouterr().out.splitlines()[:2] == [
        "restored 1 session, 0 bookmarks", f"secrets.secret_key: restored to {new}/secret_key",
    ]  # fmt: skip
    assert saved(new / "sessions") == b"journal" and (new / "secret_key").read_text(encoding="utf-8") == "key"


def test_host_has_to_be_named_if_each_has_its_own_sessions(tmp_path: Path) -> None:
    two = plan(tmp_path, text(tmp_path, HERE, AWAY), "host")
    for name, error in (
        (None, "--host: each host has its own sessions. There are here, away."),
        ("tow", "--host: the deployment has no such host: 'tow'. There are here, away."),
    ):
        with pytest.raises(OperatorError) as caught:
            machine_of(two, name)
        assert str(caught.value) == error
    assert machine_of(two, "away").name == "away"
    assert machine_of(plan(tmp_path, text(tmp_path, HERE), "host"), None).name == "here"
    shared = text(tmp_path, HERE, AWAY, more="sessions: {store: 'redis://10.0.0.9'}")
    assert machine_of(plan(tmp_path, shared, "host"), None).name == "here"


def test_secret_address_of_redis_and_the_password_of_sudo_reach_the_host(tmp_path: Path) -> None:
    secret = text(tmp_path, AWAY).replace("secrets: {", "secrets: {store: {file: /etc/x/store}, ")
    made = plan(tmp_path, secret, "host")
    carrier = on_host(made, made.machines[0], "restore", {"a": Path("/b c")}, ["--force"], "pass")
    assert (carrier.words[0], carrier.typed) == ("ssh", "pass\n")
    [script] = [word for word in carrier.words if "APP_SERVER_STORE_FILE=/etc/x/store" in word]
    assert "sudo -S" in script and "--force" in script and "a=/b c" in script


def test_what_a_command_complains_of_is_said(tmp_path: Path) -> None:
    with tempfile.TemporaryFile() as output, pytest.raises(OperatorError) as caught:
        Carrier(["sh", "-c", "echo 'app-server: x: no. Do y.' >&2; echo later >&2; exit 3"], "one").fetch(output)
    assert str(caught.value) == "one: x: no. Do y"
    with pytest.raises(OperatorError) as caught:
        # It reads nothing of what is sent, which is more than a pipe holds.
        Carrier(["sh", "-c", "exit 4"], "one").send(io.BytesIO(b"x" * 1_000_000))
    assert str(caught.value) == "one: ended with 4"
    with pytest.raises(OperatorError, match="no-such-program is not installed"):
        Carrier(["no-such-program"], "one").send(io.BytesIO())
    assert reason_of(b"\n", 1) == "ended with 1"


def test_release_of_compose_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("app_server.deployment.rollout.docker.require", lambda: None)
    made = plan(tmp_path, "name: tools\napps: {a: a.py}\npublic: tools.example.org\n", "compose")
    store = Store(tmp_path / "deployed", "tools")
    with pytest.raises(OperatorError) as caught:
        in_container(made, store, tmp_path, "backup")
    assert str(caught.value) == (
        f"{tmp_path}/deployed: nothing was rolled out from here yet. `app-server deploy compose` rolls it out."
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deploy.yaml").write_text("name: t\napps: {a: a.py}\npublic: localhost\n", encoding="utf-8")
    assert main(["backup", "x", "--host", "one"], {}) == EXIT_USAGE
    assert capsys.readouterr().err == "app-server: --host: has no meaning with host. Leave it out.\n"
