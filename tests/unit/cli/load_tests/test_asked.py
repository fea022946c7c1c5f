"""What is typed after `app-server load`."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from app_server.cli.load_tests import running
from app_server.cli.load_tests.asked import Asked, asked_for
from app_server.cli.parser import parse
from app_server.errors import OperatorError
from app_server.load.person import Ideas

URL = "http://app.invalid/sliders?a=1"


def asked(*words: object) -> Asked:
    return asked_for(parse(["load", *map(str, words)], {}), {})


def complaint(*words: object) -> str:
    with pytest.raises(OperatorError) as caught:
        asked(*words)
    return str(caught.value)


def test_defaults_are_those_of_the_help() -> None:
    found = asked(URL)
    assert found.script == Ideas(5.0) and found.doing == "a move each 5 s"
    wishes = found.wishes
    assert (wishes.limits.p99_s, wishes.first, wishes.most, wishes.stage_s) == (0.2, 5, 1000, 10.0)
    assert (found.instances, found.wanted, found.looks, found.is_mine) == (1, None, (), False)
    assert found.visit.path == "/sliders?a=1" and found.visit.site.origin == "http://app.invalid"


def test_instances_are_as_many_as_say_what_they_use() -> None:
    found = asked(URL, "--metrics", "http://a.invalid:1", "--metrics", "http://a.invalid:2")
    assert found.instances == 2 and len(found.looks) == 2
    assert asked(URL, "--metrics", "http://a.invalid:1", "--instances", 4).instances == 4


@pytest.mark.parametrize(("word", "seconds"), [("200ms", 0.2), ("1.5s", 1.5), ("2s", 2.0)])
def test_limit_has_a_unit(word: str, seconds: float) -> None:
    assert asked(URL, "--p99", word).wishes.limits.p99_s == seconds


@pytest.mark.parametrize("word", ["200", "fast", "0ms", "9999s", "-1s", ""])
def test_limit_that_makes_no_sense_is_refused(word: str) -> None:
    assert complaint(URL, f"--p99={word}").startswith("--p99: expected a time such as 200ms or 1.5s, not ")


def test_file_of_headers_may_come_from_windows(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_bytes(b"\xef\xbb\xbfAuthorization: Basic eA==\r\n\r\n")
    assert asked(URL, "--header-file", file).visit.site.headers[1:] == (("Authorization", "Basic eA=="),)


def test_headers_are_read_from_a_file_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("# a login\n\nCookie: a=b; c=d\nAuthorization: Basic xyz\n")
    assert asked(URL, "--header-file", file).visit.site.headers[1:] == (
        ("Cookie", "a=b; c=d"),
        ("Authorization", "Basic xyz"),
    )
    file.write_text("Cookie a=secret\n")
    assert complaint(URL, "--header-file", file) == f"--header-file {file}:1: expected a line `NAME: VALUE`"
    file.write_bytes(b"\xff")
    assert complaint(URL, "--header-file", file) == f"--header-file {file}: is not UTF-8 text"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--most", "0"), "--most: expected a whole number from 1 to 20000, not '0'"),
        (("--stage", "0.1"), "--stage: expected a number from 1 to 3600, not '0.1'"),
        (("--people", "many"), "--people: expected a whole number from 1 to 1e+07, not 'many'"),
        (("--picture", "/nowhere/a.svg"), "--picture /nowhere/a.svg: the folder /nowhere does not exist"),
        (("--write", "--people", "5"), "deploy.yaml: there is no such file. `app-server init` writes one."),
        (("--metrics", "localhost"), "'localhost': this is not an address of a web site. Use the address that people"),
    ],
)
def test_words_that_make_no_sense_are_refused(
    words: tuple[str, ...], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert complaint(URL, *words).startswith(expected)


def test_recording_has_its_own_pauses(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    assert complaint(URL, "--play", file, "--think", 3).startswith("--think: a recording has its own pauses.")


def test_password_on_the_command_line_is_refused_and_not_shown() -> None:
    found = complaint("https://ann:secret@app.invalid/")
    assert found.startswith("'app.invalid/': the address contains a password. Write ") and "secret" not in found


def test_more_people_than_sockets_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: (100, 200))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: set_to.append(limits))
    running.open_enough_files(20)
    running.open_enough_files(100)
    assert set_to == [(164, 200)]
    with pytest.raises(OperatorError) as caught:
        running.open_enough_files(1000)
    expected = (
        "--most: this process may have only 200 sockets and files open. Give --most 136, or raise the limit: ulimit"
    )
    assert str(caught.value).startswith(expected)
