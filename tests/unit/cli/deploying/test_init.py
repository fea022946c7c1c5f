"""`app-server init`: what it asks, writes, refuses, and never overwrites."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from app_server.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from app_server.cli.deploying.init import MOST_INSTANCES, are_free, path_from, write_new
from app_server.errors import OperatorError


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """Status, output and complaints of a command line."""
    status = main(argv, {})
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_init_looks_at_the_application(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(
        capsys, "init", "-o", "new.yaml", "--server-name", "a.example.org", "--server-name", "b.example.org",
        "--instances", "3", "--port", "5200", "--tls", "acme", "--email", "me@example.org", "--name", "tools",
    )  # fmt: skip
    assert status == EXIT_OK
    assert (home / "new.yaml").read_text(encoding="utf-8").splitlines()[2:] == [
        "name: tools",
        "apps:",
        "  myapp: myapp.py  # a script; imports bokeh, nowhere_to_be_found",
        "public: [a.example.org, b.example.org]",
        "instances: {count: 3, port: 5200}",
        "tls:",
        "  mode: acme",
        "  acme: me@example.org",
    ]
    assert "myapp.py imports nowhere_to_be_found, which is not installed here" in err
    assert "\nnew.yaml is written. Next steps:\n" in out
    assert "\n  app-server config all -f new.yaml --check " in out


def test_init_leaves_nothing_where_a_rule_is_broken(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "init", "myapp.py", "-o", "new.yaml", "--tls", "acme")
    assert status == EXIT_FAILED
    assert err.startswith("app-server: public: no public authority issues certificates for localhost.")
    assert sorted(path.name for path in home.iterdir()) == ["deploy.yaml", "myapp.py"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--proxy", "ngnix"], "--proxy: expected one of nginx, apache, none, not 'ngnix'. Did you mean nginx?"),
        (["--tls", "x"], "--tls: expected one of off, files, acme, development, not 'x'"),
    ],
)
def test_choice_that_there_is_not_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert run(capsys, "init", "myapp.py", "-o", "new.yaml", "--yes", *words) == (
        EXIT_USAGE, "", f"app-server: {message}\n"
    )  # fmt: skip
    assert not (home / "new.yaml").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--server-name", "https://x.org"], "--server-name: expected a host's name or address, not 'https://x.org'"),
        (["--prefix", "a b"], "--prefix: expected a path such as /tools"),
        (["--tls", "acme"], "public: no public authority issues certificates for localhost."),
    ],
)
def test_init_names_the_flag_at_fault_and_leaves_no_file(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    status, _, err = run(capsys, "init", "myapp.py", "-o", "new.yaml", "--yes", *words)
    assert status == EXIT_FAILED and err.startswith(f"app-server: {message}")
    assert not (home / "new.yaml").exists()


def test_init_finds_what_looks_like_an_application(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "helper.py").write_text("x = 1\n", encoding="utf-8")
    (home / "folder").mkdir()
    (home / "folder" / "main.py").write_text("import bokeh\n", encoding="utf-8")
    notebook = {"cells": [{"cell_type": "code", "source": ["%time 1\n", "import bokeh\n", "curdoc()\n"]}]}
    (home / "note.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    assert run(capsys, "init", "-o", "new.yaml")[0] == EXIT_OK
    text = (home / "new.yaml").read_text(encoding="utf-8")
    assert "  folder: folder  # a folder with main.py; imports bokeh" in text
    assert "  note: note.ipynb  # a notebook; imports bokeh" in text
    assert "helper" not in text


@pytest.fixture
def answers(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is typed at the terminal, line by line."""
    (home / "deploy.yaml").unlink()
    typed: list[str] = []

    def answer(question: str) -> str:
        if not typed:
            raise EOFError
        return typed.pop(0)

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    return typed


def test_what_no_flag_says_is_asked(home: Path, answers: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    answers += ["a.org, b.org", "2", "apache", "files", "/c.pem", "/c.key"]
    assert run(capsys, "init", "myapp.py")[0] == EXIT_OK
    found = yaml.safe_load((home / "deploy.yaml").read_text())
    assert (found["public"], found["proxy"], found["tls"]) == (
        ["a.org", "b.org"], "apache", {"certificate": "/c.pem", "key": "/c.key"},
    )  # fmt: skip
    # With a port, if the first ones are taken here.
    assert found["instances"] == 2 or found["instances"]["count"] == 2


def test_what_a_flag_says_is_not_asked(home: Path, answers: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    answers += ["acme", ""]
    words = ("--server-name", "a.org", "--instances", "1", "--proxy", "nginx")
    status, _, err = run(capsys, "init", "myapp.py", *words)
    assert answers == []
    assert status == EXIT_OK, err
    assert yaml.safe_load((home / "deploy.yaml").read_text())["tls"] == "acme"


def test_answers_that_end_early_write_nothing(
    home: Path, answers: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    answers += ["a.org"]
    assert run(capsys, "init", "myapp.py")[::2] == (
        EXIT_FAILED, "app-server: stdin: no more answers; nothing was written\n",
    )  # fmt: skip
    assert not (home / "deploy.yaml").exists()


def test_answer_that_is_no_number_is_one_line(answers: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    answers += ["a.org", "many"]
    assert run(capsys, "init", "myapp.py")[2] == (
        f"app-server: instances: expected a whole number from 1 to {MOST_INSTANCES}, not 'many'\n"
    )


def test_folder_without_an_application_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "init") == (
        EXIT_USAGE, "", "app-server: there is no application in this folder. For example: app-server init myapp.py\n",
    )  # fmt: skip


def test_port_that_is_taken_is_not_proposed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert not are_free(taken.getsockname()[1], 1)


def test_file_that_has_come_meanwhile_or_cannot_be_written_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("theirs")
    for name, error in (("there", "is there already"), ("no/new", "cannot be written: No such file or directory")):
        with pytest.raises(OperatorError) as caught:
            write_new(tmp_path / name, "ours")
        assert str(caught.value) == f"{tmp_path}/{name}: {error}"
    assert (tmp_path / "there").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_application_outside_the_files_folder_has_its_whole_path(tmp_path: Path) -> None:
    assert path_from(str(tmp_path / "a" / "b.py"), tmp_path) == "a/b.py"
    assert path_from(str(tmp_path / "b.py"), tmp_path / "a") == str(tmp_path / "b.py")
