"""What the doctor is asked to examine, from what was typed, and what it prints."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme

from app_server.cli.deploying.examination import prepare, run
from app_server.cli.parser import parse
from app_server.doctor.address import Target, read_target
from app_server.doctor.network.connection import Route
from app_server.doctor.options import LONG_IDLE_S, SHORT_IDLE_S, Options
from app_server.errors import OperatorError
from tests.support.ports import free_port

URL = "https://a.test/board"


def prepared(*words: str) -> partial[int]:
    """What would be run after these words."""
    found = prepare(parse(["doctor", *words], {}), {"HOME": "/root"})
    assert isinstance(found, partial)
    return found


def options_of(*words: str) -> Options:
    found = prepared(URL, *words).args[1]
    assert isinstance(found, Options)
    return found


def refused(*words: str) -> str:
    with pytest.raises(OperatorError) as caught:
        prepared(*words)
    return str(caught.value)


def test_without_flags_everything_is_as_the_options_say_by_themselves() -> None:
    work = prepared(URL)
    assert work.args == (Target("https", "a.test", 443, "/board"), Options(), {"HOME": "/root"})
    assert (work.func, work.keywords) == (run, {"as_json": False})


def test_every_flag_reaches_its_option(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(ca_file)
    found = options_of(
        "--ca-file", str(ca_file), "--connect-to", "192.0.2.1", "--header", "Cookie: a=b", "--timeout", "2.5",
        "--long", "20", "--opens", "9", "--instances", "3", "--embed-origin", "https://b.test", "--embed-origin",
        "https://c.test:8443", "--http-port", "8080", "--proxy", "apache",
    )  # fmt: skip
    assert found == Options(
        ca_file=str(ca_file), route=Route("192.0.2.1", (("Cookie", "a=b"),), 2.5), idle_s=20.0, openings=9, instances=3,
        embed_origins=("https://b.test", "https://c.test:8443"), http_port=8080, proxy="apache",
    )  # fmt: skip
    assert type(found.openings) is int and type(found.instances) is int and type(found.http_port) is int


def test_report_is_json_if_that_is_asked_for() -> None:
    assert prepared(URL, "--json").keywords == {"as_json": True}


@pytest.mark.parametrize(
    ("words", "idle_s"),
    [((), SHORT_IDLE_S), (("--long",), LONG_IDLE_S), (("--long", "1"), 1), (("--long", "86400"), 86400)],
)
def test_idle_time_is_short_long_or_as_given(words: tuple[str, ...], idle_s: float) -> None:
    assert options_of(*words).idle_s == idle_s


def test_name_and_password_of_the_address_follow_the_headers_given() -> None:
    headers = prepared("https://me:secret@a.test/", "--header", "X: y").args[1].route.headers
    assert headers == (("X", "y"), ("Authorization", "Basic bWU6c2VjcmV0"))


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("X:y", ("X", "y")),
        ("X: \t y  ", ("X", "y")),
        ("X:", ("X", "")),
        ("X: a: b", ("X", "a: b")),
        ("x-!#$%&'*+.^_`|~9: 1", ("x-!#$%&'*+.^_`|~9", "1")),
    ],
)
def test_header_is_its_name_and_value(text: str, header: tuple[str, str]) -> None:
    assert options_of("--header", text).route.headers == (header,)


@pytest.mark.parametrize("text", ["", "X", ": y", "X y: z", "X: \u00e9", "X: a\nY: b", "X: a\r", "Käse: a", "X : y"])
def test_header_that_could_not_be_sent_is_refused(text: str) -> None:
    assert refused(URL, f"--header={text}") == f"--header: expected 'NAME: VALUE', not {text!r}"


def test_refused_header_is_quoted_only_up_to_a_line() -> None:
    assert refused(URL, "--header", "x" * 1000) == f"--header: expected 'NAME: VALUE', not {'x' * 60!r}"


@pytest.mark.parametrize(
    ("flag", "low", "high"),
    [("--opens", 1, 200), ("--instances", 1, 10_000), ("--http-port", 1, 65535)],
)
def test_whole_numbers_are_taken_up_to_their_limits(flag: str, low: int, high: int) -> None:
    for word in (str(low), str(high), f"0{low}"):
        options_of(flag, word)
    for word in (str(low - 1), str(high + 1), "1.0", "1e2", "-1", "+1", " 1", "", "one", "inf", "1" * 20):
        message = f"{flag}: expected a whole number from {low} to {high}, not {word!r}"
        assert refused(URL, f"{flag}={word}") == message


@pytest.mark.parametrize("word", ["0.1", "3600", "1e1", " 5 "])
def test_timeout_is_any_number_within_its_limits(word: str) -> None:
    assert math.isclose(options_of("--timeout", word).route.timeout_s, float(word))


@pytest.mark.parametrize("word", ["0.09", "3600.1", "nan", "inf", "-1", "", "ten", "1" * 20])
def test_other_timeout_is_refused(word: str) -> None:
    assert refused(URL, f"--timeout={word}") == f"--timeout: expected a number from 0.1 to 3600, not {word!r}"


@pytest.mark.parametrize("word", ["0.5", "86401", "nan", ""])
def test_other_idle_time_is_refused(word: str) -> None:
    assert refused(URL, f"--long={word}") == f"--long: expected a number from 1 to 86400, not {word!r}"


def test_address_is_checked_before_the_flags() -> None:
    assert refused("--timeout", "0") == "no address. For example: app-server doctor https://example.com/sliders"
    assert "a.test:0" in refused("https://a.test:0/", "--timeout", "0")


def test_missing_authorities_are_refused(tmp_path: Path) -> None:
    message = "cannot be read as certificates: No such file or directory. Give a file in PEM format."
    assert refused(URL, "--ca-file", f"{tmp_path}/none.pem") == f"--ca-file {tmp_path}/none.pem: {message}"


def test_folder_in_place_of_authorities_is_refused(tmp_path: Path) -> None:
    assert refused(URL, "--ca-file", str(tmp_path)).startswith(
        f"--ca-file {tmp_path}: cannot be read as certificates: "
    )


# The examination itself; nothing listens at the address, which is the shortest one


def examined(capsys: pytest.CaptureFixture[str], *, as_json: bool) -> tuple[int, Any, Target]:
    """The status, what was printed, and the address."""
    target = read_target(f"http://127.0.0.1:{free_port()}/board")
    status = run(target, Options(route=Route(timeout_s=5), idle_s=1), {}, as_json=as_json)
    printed = capsys.readouterr()
    assert printed.err == ""  # it is no terminal
    return status, printed.out, target


def test_report_for_people_names_the_address_and_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    status, printed, target = examined(capsys, as_json=False)
    assert status == 1
    assert target.url in printed and "the connection was refused" in printed
    assert "\x1b[" not in printed  # no colours


def test_report_for_programs_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    status, printed, target = examined(capsys, as_json=True)
    report = json.loads(printed)
    assert (status, report["url"]) == (1, target.url)
    assert [finding["severity"] for finding in report["findings"]] == ["error"]
