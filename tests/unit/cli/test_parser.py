"""Which words of a command line belong to which flag, and what is said of those that belong to none."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server import __version__
from app_server.cli.help import COMMANDS
from app_server.cli.parser import INSTEAD, Answered, build, no_such_command, parse
from app_server.errors import OperatorError
from app_server.settings import Arity, all_settings


def fault(*argv: str) -> str:
    """What is said of a command line."""
    with pytest.raises(OperatorError) as caught:
        parse(argv, {})
    return str(caught.value)


def answer(*argv: str) -> str:
    """What a command line that only asks is answered."""
    with pytest.raises(Answered) as caught:
        parse(argv, {})
    assert str(caught.value) == caught.value.text
    return caught.value.text


def test_flag_that_was_not_typed_has_no_attribute() -> None:
    assert vars(parse(["serve"], {})) == {"command": "serve", "files": []}


def test_every_command_has_a_parser_that_knows_its_name() -> None:
    parser, parsers = build()
    assert list(parsers) == list(COMMANDS)
    assert [one.prog for one in parsers.values()] == [f"{parser.prog} {name}" for name in COMMANDS]


def test_every_setting_of_the_command_line_is_a_list_of_words() -> None:
    words = {Arity.SWITCH: [], Arity.ONE: ["w"], Arity.REPEATED: ["w"], Arity.SOME: ["w", "x"], Arity.ANY: ["w", "x"],
             Arity.REST: ["w", "--x"]}  # fmt: skip
    by_flag = {setting.flag: setting for setting in all_settings() if setting.flag is not None}
    for flag, setting in by_flag.items():
        found = getattr(parse(["serve", "a.py", flag, *words[setting.arity]], {}), setting.name)
        assert list(found) == words[setting.arity], flag


def test_files_may_stand_between_flags_but_not_behind_args() -> None:
    found = parse(["serve", "a.py", "--port", "80", "b.py", "--args", "c.py", "--port", "1"], {})
    assert (found.files, found.port, found.args) == (["a.py", "b.py"], ["80"], ["c.py", "--port", "1"])


@pytest.mark.parametrize("words", [["-V"], ["--version"], ["--version", "serve"]])
def test_version(words: list[str]) -> None:
    assert answer(*words) == f"app-server {__version__}"


def test_help_is_of_the_command_that_is_named() -> None:
    assert answer("--help") == answer("-h")
    assert "usage: app-server COMMAND" in answer("-h")
    short, whole = answer("serve", "-h"), answer("serve", "--help-all")
    assert len(short) < len(whole)
    for name in COMMANDS:
        assert answer(name, "--help").startswith(f"usage: app-server {name}")


def test_help_is_given_whatever_else_is_wrong() -> None:
    assert answer("serve", "--nosuch", "-h") == answer("serve", "-h")


def test_nothing_is_no_command() -> None:
    assert fault() == "no command. `app-server --help` lists them."


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("serv", "Did you mean serve?"),
        ("stauts", "Did you mean status?"),
        ("help", "Write `app-server --help`, or `app-server COMMAND --help`."),
        ("app.py", "To serve an application: app-server serve app.py"),
        ("a b.ipynb", "To serve an application: app-server serve 'a b.ipynb'"),
        ("folder", "To serve an application: app-server serve folder"),
        ("xyzzy", "`app-server --help` lists the commands."),
        ("", "`app-server --help` lists the commands."),
    ],
)
def test_first_word_that_is_no_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, hint: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assert str(no_such_command(word)) == f"{word}: unknown command. {hint}"
    assert fault(word) == f"{word}: unknown command. {hint}"


@pytest.mark.parametrize("flag", sorted(INSTEAD))
def test_flags_of_other_servers_are_answered_by_serve(flag: str) -> None:
    assert fault("serve", "a.py", flag) == f"{flag}: unknown argument. {INSTEAD[flag]}"
    assert fault("serve", "a.py", f"{flag}=x") == f"{flag}=x: unknown argument. {INSTEAD[flag]}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["status", "--onec"], "--onec: unknown argument. Did you mean --once?"),
        (["status", "--onec=1"], "--onec=1: unknown argument. Did you mean --once?"),
        (["status", "--xyzzy"], "--xyzzy: unknown argument. `app-server status --help` lists all flags."),
        (["status", "--oauth-key"], "--oauth-key: unknown argument. `app-server status --help` lists all flags."),
        (["serve", "--oauth-key"], "--oauth-key: unknown argument. OpenID Connect is --oidc-issuer here."),
        (["serve", "--xyzzy"], "--xyzzy: unknown argument. `app-server serve --help-all` lists all flags."),
        (["drain", "1", "2"], "2: unknown argument. `app-server drain --help` lists all flags."),
        (["serve", "-x"], "-x: unknown argument. `app-server serve --help-all` lists all flags."),
        (["serve", "--port"], "--port: expected 1 argument. `app-server serve --help` lists what there is."),
        (["serve", "--include-header", "x"], "--include-header: unknown argument. Did you mean --include-headers?"),
        (["passwd", "--delete=x"],
         "--delete: ignored explicit argument 'x'. `app-server passwd --help` lists what there is."),
    ],
)  # fmt: skip
def test_words_that_cannot_be_understood(words: list[str], message: str) -> None:
    assert fault(*words) == message


def test_flags_are_never_guessed_from_their_beginning() -> None:
    assert fault("serve", "--por", "80") == "--por: unknown argument. Did you mean --port?"
    assert fault("--vers").startswith("no command")
