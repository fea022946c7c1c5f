"""Which words of a command line belong to which flag, and what is said of those that belong to none."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server import __version__
from app_server.cli.command import Command
from app_server.cli.commands import COMMANDS, command_of
from app_server.cli.parser import INSTEAD, Answered, no_such_command, parse, parser_of
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


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_parser_that_knows_its_name(name: str) -> None:
    command = command_of(name)
    assert isinstance(command, Command)
    assert parser_of(name, command).prog == f"app-server {name}"


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
    assert answer() == answer("--help") == answer("-h") == answer("help")
    assert "usage: app-server COMMAND" in answer("-h")
    short, whole = answer("serve", "-h"), answer("serve", "--help-all")
    assert len(short) < len(whole)
    for name in COMMANDS:
        assert answer(name, "--help").startswith(f"usage: app-server {name}")
        assert answer("help", name) == answer("-h", name) == answer(name, "--help")


def test_help_is_given_whatever_else_is_wrong() -> None:
    assert answer("serve", "--nosuch", "-h") == answer("serve", "-h")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("serv", "Did you mean serve?"),
        ("stauts", "Did you mean status?"),
        ("app.py", "Did you mean `app-server serve app.py`?"),
        ("a b.ipynb", "Did you mean `app-server serve 'a b.ipynb'`?"),
        ("folder", "Did you mean `app-server serve folder`?"),
        ("xyzzy", "See `app-server --help` for all commands."),
        ("", "See `app-server --help` for all commands."),
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
        (["status", "--xyzzy"], "--xyzzy: unknown argument. See `app-server status --help` for all flags."),
        (["status", "--oauth-key"], "--oauth-key: unknown argument. See `app-server status --help` for all flags."),
        (["serve", "--oauth-key"],
         "--oauth-key: unknown argument. Use --oidc-issuer for OpenID Connect, --oauth-provider for GitHub."),
        (["serve", "--xyzzy"], "--xyzzy: unknown argument. See `app-server serve --help-all` for all flags."),
        (["drain", "1", "2"], "2: unknown argument. See `app-server drain --help` for all flags."),
        (["serve", "-x"], "-x: unknown argument. See `app-server serve --help-all` for all flags."),
        (["serve", "--port"], "--port: expected 1 argument. See `app-server serve --help`."),
        (["serve", "--include-header", "x"], "--include-header: unknown argument. Did you mean --include-headers?"),
        (["passwd", "--delete=x"],
         "--delete: ignored explicit argument 'x'. See `app-server passwd --help`."),
    ],
)  # fmt: skip
def test_words_that_cannot_be_understood(words: list[str], message: str) -> None:
    assert fault(*words) == message


def test_flags_are_never_guessed_from_their_beginning() -> None:
    assert fault("serve", "--por", "80") == "--por: unknown argument. Did you mean --port?"
    assert fault("--vers") == "--vers: unknown argument. Did you mean --version?"
