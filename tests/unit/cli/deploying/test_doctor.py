"""`app-server doctor`: its words, its report for people and programs, and its status."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app_server.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from app_server.cli.parser import parse
from app_server.errors import OperatorError
from tests.support.ports import free_port
from tests.support.servers.inside import Inside, inside


@pytest.fixture(scope="module")
def site() -> Iterator[Inside]:
    with inside({"/board": lambda document: None}, allow_websocket_origin=("127.0.0.1:*",)) as served:
        yield served


def test_deployment_that_is_well_has_status_0(site: Inside, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["doctor", f"{site.url}/board", "--long", "1", "--opens", "1", "--timeout", "20"]
    assert main([*words, "--json"], {}) == EXIT_OK
    report = json.loads(capsys.readouterr().out)
    assert [finding for finding in report["findings"] if finding["severity"] == "error"] == []
    assert main(words, {}) == EXIT_OK
    assert f"{site.url}/board" in capsys.readouterr().out


def test_deployment_that_is_not_there_has_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", f"http://127.0.0.1:{free_port()}/board"], {}) == EXIT_FAILED
    assert "refused" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "no address. For example: app-server doctor https://example.com/sliders"),
        (["URL", "--header", "X"], "--header: expected 'NAME: VALUE', not 'X'"),
        (["URL", "--timeout", "0"], "--timeout: expected a number from 0.1 to 3600, not '0'"),
        (["URL", "--timeout", "nan"], "--timeout: expected a number from 0.1 to 3600, not 'nan'"),
        (["URL", "--opens", "1.5"], "--opens: expected a whole number from 1 to 200, not '1.5'"),
        (["URL", "--instances", "none"], "--instances: expected a whole number from 1 to 10000, not 'none'"),
        (["URL", "--http-port", "70000"], "--http-port: expected a whole number from 1 to 65535, not '70000'"),
        (["URL", "--long", "86401"], "--long: expected a number from 1 to 86400, not '86401'"),
        (["URL", "--proxy", "caddy"], "--proxy: expected one of nginx, apache, not 'caddy'"),
        (["URL", "--ca-file", "none.pem"], "--ca-file none.pem: cannot be read as certificates:"
         " No such file or directory. Give a file in PEM format."),
    ],
)  # fmt: skip
def test_wrong_words_are_one_line(
    words: list[str], error: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", *(word.replace("URL", "http://a.test/") for word in words)], {}) == EXIT_USAGE
    assert capsys.readouterr().err == f"app-server: {error}\n"


def test_file_that_holds_no_certificates_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none.pem").write_text("nothing")
    assert main(["doctor", "http://a.test/", "--ca-file", f"{tmp_path}/none.pem"], {}) == EXIT_USAGE
    assert "cannot be read as certificates: " in capsys.readouterr().err


# The words, before anything is done with them

URL = "https://a.test/"


def typed(*words: str) -> dict[str, object]:
    """What the command line of the doctor says, without what every command has."""
    found = vars(parse(["doctor", *words], {}))
    return {name: value for name, value in found.items() if name != "command"}


def test_flag_that_was_not_typed_is_not_there() -> None:
    assert typed() == {"url": ""}
    assert typed(URL) == {"url": URL}


def test_flags_are_handed_on_as_they_were_typed() -> None:
    assert typed(
        URL, "--long", "5", "--instances", "3", "--opens", "x", "--embed-origin", "https://b.test",
        "--embed-origin=https://c.test", "--http-port", "80", "--ca-file", "ca.pem", "--connect-to", "::1",
        "--header", "Cookie: a", "--header", "X: b", "--proxy", "nginx", "--timeout", "0", "--json",
    ) == {
        "url": URL, "long": "5", "instances": ["3"], "opens": ["x"],
        "embed_origin": ["https://b.test", "https://c.test"], "http_port": ["80"], "ca_file": ["ca.pem"],
        "connect_to": ["::1"], "header": ["Cookie: a", "X: b"], "proxy": ["nginx"], "timeout": ["0"], "json": True,
    }  # fmt: skip


@pytest.mark.parametrize("words", [(URL, "--long"), ("--long", "--json", URL)])
def test_long_needs_no_number(words: tuple[str, ...]) -> None:
    found = typed(*words)
    assert (found["long"], found["url"]) == (None, URL)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([URL, "--opens"], "--opens: expected 1 argument. See `app-server doctor --help`."),
        ([URL, "--header"], "--header: expected one argument. See `app-server doctor --help`."),
        ([URL, "--instance", "3"], "--instance: unknown argument. Did you mean --instances?"),
        ([URL, "--nosuch"], "--nosuch: unknown argument. See `app-server doctor --help` for all flags."),
        ([URL, "https://b.test"], "https://b.test: unknown argument. See `app-server doctor --help` for all flags."),
    ],
)
def test_words_that_cannot_be_understood(words: list[str], message: str) -> None:
    with pytest.raises(OperatorError) as caught:
        typed(*words)
    assert str(caught.value) == message
