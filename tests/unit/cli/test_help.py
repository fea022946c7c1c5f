"""Help that fits a screen, derived from the table of settings."""

from __future__ import annotations

import pytest

from app_server.cli import EXIT_OK, main
from app_server.cli.command import Command, Flag, Word, switch
from app_server.cli.commands import COMMANDS, GROUPS, command_of
from app_server.cli.help import command_help, overview
from app_server.cli.terminal import Paint
from app_server.settings import Arity, all_settings

PLAIN = Paint(False)


def serve_help(width: int, *, every: bool) -> str:
    """The help on `serve`."""
    return command_help("serve", command_of("serve"), PLAIN, width, every=every)


def test_help_on_serve_fits_a_screen() -> None:
    lines = serve_help(80, every=False).splitlines()
    assert 24 <= len(lines) <= 40
    assert max(map(len, lines)) <= 80


def test_common_flags_are_in_the_short_help_and_all_in_the_long_one() -> None:
    short, long = serve_help(80, every=False), serve_help(80, every=True)
    for setting in all_settings():
        words = [setting.flag] if setting.flag else list(setting.environment)
        for word in words:
            assert word is not None and word in long
            assert not setting.common or word in short


def test_long_help_names_every_environment_variable() -> None:
    text = serve_help(80, every=True)
    for setting in all_settings():
        for variable in setting.environment:
            assert variable in text


def test_help_says_the_default() -> None:
    text = serve_help(100, every=True)
    assert "  --port PORT                listen on this port; 0 selects a free one [default: 5006]" in text
    assert "[default: 37000]" in text


def test_overview_names_every_command_in_its_group() -> None:
    text = overview(PLAIN, 100)
    for name, about in COMMANDS.items():
        assert f"  {name:<13}{about}\n" in text
    titles = [text.index(f"\n{group.title}\n") for group in GROUPS]
    assert titles == sorted(titles)


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_the_terminal_has_every_flag_and_an_example(name: str, width: int) -> None:
    command = command_of(name)
    text = command_help(name, command, PLAIN, width, every=True)
    assert max(map(len, text.splitlines())) <= width
    assert text.isascii()
    for flag in command.flags:
        assert not flag.help or flag.spelled in text
    assert command.examples
    for example in command.examples:
        assert f"\n  {example}" in text


def test_help_of_a_command_is_derived_from_its_description() -> None:
    command = Command(
        forms=("WHAT [flags]", "--all"),
        text="Do something.",
        examples=("app-server do this --fast",),
        words=(Word(name="what", metavar="WHAT", help="what to do", choices={"this": "the one", "that": "the other"}),),
        flags=(
            switch("--fast", "hurry"),
            Flag(names=("-n", "--number"), metavar="N", help="how often, with a help that needs a second line",
                 default="1"),
            Flag(names=("--how",), metavar="HOW", help="the way", choices={"so": "", "or so": ""}, group="More"),
            Flag(names=("--again",), metavar="X", arity=Arity.REPEATED, help="once more", group="More"),
        ),
        notes="The status is 0.",
    )  # fmt: skip
    assert command_help("do", command, PLAIN, 60) == (
        "usage: app-server do WHAT [flags]\n"
        "       app-server do --all\n"
        "\n"
        "Do something.\n"
        "\n"
        "WHAT\n"
        "  this         the one\n"
        "  that         the other\n"
        "\n"
        "Flags\n"
        "  --fast                     hurry\n"
        "  -n, --number N             how often, with a help that\n"
        "                             needs a second line\n"
        "                             [default: 1]\n"
        "\n"
        "More\n"
        "  --how HOW                  the way: so, or so\n"
        "  --again X                  once more (repeatable)\n"
        "\n"
        "The status is 0.\n"
        "\n"
        "Example\n"
        "  app-server do this --fast"
    )


@pytest.mark.parametrize("argv", [["-h"], ["--help"], *([name, "-h"] for name in COMMANDS), ["serve", "--help-all"]])
def test_help_is_printed_and_the_status_is_0(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv, {}) == EXIT_OK
    captured = capsys.readouterr()
    assert captured.out.startswith("usage: app-server")
    assert captured.err == ""
    assert "\x1b" not in captured.out


def test_help_is_plain_ascii_for_any_terminal() -> None:
    assert (serve_help(80, every=True) + overview(PLAIN)).isascii()
