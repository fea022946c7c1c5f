"""`app-server backup` and `restore`: what they are about, what they refuse, and what comes back."""

from __future__ import annotations

import io
import os
import resource
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from app_server.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from app_server.store.base import Write, session_key
from app_server.store.folder import FolderStore
from tests.support.server import REPOSITORY

KEY = session_key("/app", "one")
DEPLOYMENT = """
name: tools
apps: {myapp: myapp.py}
public: tools.example.org
sessions: {store: HOME/sessions}
secrets: {secret_key: {file: HOME/etc/secret_key}, cookie_secret: {environment: COOKIES}}
tls: {certificate: HOME/etc/tls.pem, key: HOME/etc/tls.key}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a saved session and its keys."""
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "sessions", b"journal")
    (tmp_path / "etc").mkdir()
    for name in ("secret_key", "tls.pem", "tls.key"):
        (tmp_path / "etc" / name).write_text(name, encoding="utf-8")
    return tmp_path


def save(folder: Path, data: bytes) -> None:
    """Save a session."""
    store = FolderStore(str(folder), ttl_s=1000, max_bytes=10**6)
    claim = store.claim(KEY, create=True)
    assert claim is not None and store.write([Write(claim, data, True)]) == []
    store.close()


def saved(folder: Path) -> bytes:
    """What is saved of the session."""
    return (folder / f"{KEY}.session").read_bytes()


def test_store_and_files_come_back_elsewhere(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = home / "etc" / "secret_key"
    assert main(["backup", "x.backup", "--store", "sessions", "--also", str(key), "--also", "tls=etc/tls.pem"], {}) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"x.backup: 1 session, 0 bookmarks, file:{key}, tls\n")
    assert stat.S_IMODE((home / "x.backup").stat().st_mode) == 0o600
    key.unlink()
    (home / "new").mkdir(mode=0o700)
    assert main(["restore", "x.backup", "--store", "new", "--also", str(key)], {}) == EXIT_OK
    assert capsys.readouterr().out.splitlines() == [
        "restored 1 session, 0 bookmarks",
        f"file:{key}: restored to {key}",
        "tls: left out, because no place is named for it; give --also tls=PATH",
        "Servers read secrets and certificates when they start: restart them, or roll out again.",
    ]
    assert saved(home / "new") == b"journal" and key.read_text(encoding="utf-8") == "secret_key"
    # Again: nothing is there to do. What is newer stays.
    save(home / "new", b"newer")
    assert main(["restore", "x.backup", "--store", "new", "--also", str(key)], {}) == EXIT_OK
    assert capsys.readouterr().out.splitlines()[:2] == [
        "restored 0 sessions, 0 bookmarks; 1 that exist stay as they are", f"file:{key}: {key} is as it was",
    ]  # fmt: skip
    assert saved(home / "new") == b"newer"


def test_deployment_on_this_machine_has_its_secrets_and_certificates(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "deploy.yaml").write_text(DEPLOYMENT.replace("HOME", str(home)), encoding="utf-8")
    assert main(["backup", "x.backup"], {}) == EXIT_OK
    assert capsys.readouterr().err.splitlines() == [
        "x.backup: 1 session, 0 bookmarks, secrets.secret_key, tls.certificate, tls.key",
        "note: secrets.cookie_secret is not in a file, but in the variable COOKIES: keep a copy of it",
    ]
    # On another machine, everything is elsewhere.
    other = home / "other"
    (other / "sessions").mkdir(parents=True, mode=0o700)
    (home / "deploy.yaml").write_text(DEPLOYMENT.replace("HOME", str(other)), encoding="utf-8")
    assert main(["restore", "x.backup"], {}) == EXIT_OK
    assert saved(other / "sessions") == b"journal"
    assert sorted(path.name for path in (other / "etc").iterdir()) == ["secret_key", "tls.key", "tls.pem"]
    # A file that differs stops it before anything is done, a session included.
    (other / "etc" / "tls.key").write_text("newer", encoding="utf-8")
    (other / "sessions" / f"{KEY}.session").unlink()
    assert main(["restore", "x.backup"], {}) == EXIT_FAILED
    assert "tls.key: exists, and is not what the backup has. Nothing was restored." in capsys.readouterr().err
    assert list((other / "sessions").iterdir()) == []
    assert main(["restore", "x.backup", "--force"], {}) == EXIT_OK
    assert (other / "etc" / "tls.key").read_text(encoding="utf-8") == "tls.key"


def test_deployment_and_store_are_found_from_a_folder_below(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    below, environ = home / "below", {"HOME": str(home)}
    below.mkdir()
    monkeypatch.chdir(below)
    monkeypatch.setenv("HOME", str(home))
    (home / "pyproject.toml").write_text('[tool.app-server]\nstore = "sessions"\n', encoding="utf-8")
    assert main(["backup", "of-the-server"], environ) == EXIT_OK
    assert capsys.readouterr().err == "of-the-server: 1 session, 0 bookmarks\n"
    (below / ".env").write_text("APP_SERVER_STORE_TTL=soon\n", encoding="utf-8")
    assert main(["backup", "x", "--env-file", ".env"], environ) == EXIT_USAGE
    assert capsys.readouterr().err.startswith("app-server: .env: APP_SERVER_STORE_TTL: expected ")
    (home / "deploy.yaml").write_text(DEPLOYMENT.replace("HOME", str(home)), encoding="utf-8")
    assert main(["backup", "of-the-deployment"], environ) == EXIT_OK
    assert capsys.readouterr().err.splitlines()[:2] == [
        "app-server: using ../deploy.yaml",
        "of-the-deployment: 1 session, 0 bookmarks, secrets.secret_key, tls.certificate, tls.key",
    ]


def test_backup_to_a_closed_stdout_is_refused(home: Path) -> None:
    command = 'exec "$0" -m app_server backup - --store sessions >&-'
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        ["sh", "-c", command, sys.executable], env=environ, stderr=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (
        EXIT_USAGE, "app-server: -: stdout is closed. Name a file, or pipe it into a program.\n",
    )  # fmt: skip


def test_backup_passes_through_pipes(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["backup", "-", "--store", "sessions"], {}) == EXIT_OK
    captured = capfdbinary.readouterr()
    assert captured.err == b"stdout: 1 session, 0 bookmarks\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(captured.out)))
    (home / "new").mkdir(mode=0o700)
    assert main(["restore", "-", "--store", "new"], {}) == EXIT_OK
    assert saved(home / "new") == b"journal"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(captured.out[:2000])))
    assert main(["restore", "-", "--store", "new"], {}) == EXIT_FAILED
    assert b"app-server: stdin: is damaged: " in capfdbinary.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        (["backup"], EXIT_USAGE, "FILE: is required. For example: app-server backup tools.backup"),
        (["restore"], EXIT_USAGE, "FILE: is required. For example: app-server restore tools.backup"),
        (["backup", "x"], EXIT_USAGE,
         "neither a store nor a deployment is named. "
         "Name the server's store with --store, or a deployment with -f deploy.yaml."),
        (["backup", "x", "-e", "staging", "--store", "sessions"], EXIT_USAGE,
         "--environment: has no meaning without a deployment. Name the file of the deployment: -f deploy.yaml"),
        (["backup", "x", "-f", "deploy.yaml", "--store", "sessions"], EXIT_USAGE,
         "--store: has no meaning with --file. Leave one of them out: the deployment says where its sessions are."),
        (["backup", "etc", "--store", "sessions"], EXIT_USAGE, "etc: exists. Choose another name, or give --force."),
        (["backup", "no/x", "--store", "sessions"], EXIT_FAILED, "no/x: cannot be written: No such file or directory"),
        (["backup", "x", "--store", "none-such"], EXIT_FAILED,
         "--store: HOME/none-such does not exist. Name the server's."),
        (["backup", "x", "--also", "etc"], EXIT_FAILED,
         "etc: cannot be read: Is a directory"),
        (["restore", "no", "--store", "sessions"], EXIT_FAILED, "no: cannot be read: No such file or directory"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], status: int, error: str
) -> None:
    assert main(words, {}) == status
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"app-server: {error.replace('HOME', str(home))}\n")
    assert sorted(os.listdir(home)) == ["etc", "sessions"]


def test_what_cannot_be_a_backups_name_is_said_in_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(home / "pipe")
    for name, said in (("etc", "Is a directory"), ("pipe", "Not a regular file"), ("x" * 256, "File name too long")):
        assert main(["backup", name, "--store", "sessions", "--force"], {}) == EXIT_FAILED
        assert capsys.readouterr().err == f"app-server: {name}: cannot be written: {said}\n"
    assert stat.S_ISFIFO((home / "pipe").stat().st_mode) and not list(home.glob(".app-server-backup-*"))


def test_further_files_have_names_that_a_restore_understands(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deep = home / ("ü" * 100) / ("ü" * 100)
    deep.mkdir(parents=True)
    (deep / "key").write_text("deep", encoding="utf-8")
    assert main(["backup", "x.backup", "--also", str(deep / "key")], {}) == EXIT_OK
    (deep / "key").unlink()
    assert main(["restore", "x.backup", "--also", str(deep / "key")], {}) == EXIT_OK
    assert (deep / "key").read_text(encoding="utf-8") == "deep"
    capsys.readouterr()
    for words, said in (
        (["a=etc/tls.pem", "a=etc/tls.key"], "two files are called a. Give each a name of its own: --also NAME="),
        (["\x1b[31m=etc/tls.pem"], r"'\x1b[31m' cannot be a name in a backup. Give it another one: --also NAME=PATH"),
        ([os.fsdecode(b"\xff")], r"\udcff' cannot be a name in a backup. Give it another one: --also NAME=PATH"),
    ):
        also = [word for each in words for word in ("--also", each)]
        assert main(["backup", "y.backup", *also], {}) == EXIT_USAGE
        assert said in capsys.readouterr().err
    assert not (home / "y.backup").exists()


def test_full_disk_ends_it_in_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # As on a full disk; SIGXFSZ is ignored by Python.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        assert main(["backup", "x.backup", "--store", "sessions"], {}) == EXIT_FAILED
        assert main(["backup", "-", "--store", "sessions"], {}) == EXIT_FAILED
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "app-server: x.backup: cannot be written: File too large"
    assert lines[1].endswith("cannot be written: File too large. Set TMPDIR to a folder with more space.")
    assert not (home / "x.backup").exists() and not list(home.glob(".app-server-backup-*"))


def test_backup_is_read_from_a_pipe_with_a_name(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backup", "x.backup", "--store", "sessions"], {}) == EXIT_OK
    (home / "new").mkdir(mode=0o700)
    os.mkfifo(home / "pipe")
    writer = threading.Thread(target=lambda: (home / "pipe").write_bytes((home / "x.backup").read_bytes()))
    writer.start()
    assert main(["restore", "pipe", "--store", "new"], {}) == EXIT_OK
    writer.join()
    assert capsys.readouterr().out == "restored 1 session, 0 bookmarks\n" and saved(home / "new") == b"journal"
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["restore", "-", "--store", "new"], {}) == EXIT_FAILED
    assert capsys.readouterr().err.startswith("app-server: stdin: is closed. Name a file, or pipe one")
