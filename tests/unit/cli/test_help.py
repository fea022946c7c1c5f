"""Help that fits a screen, derived from the table of settings."""

from __future__ import annotations

import pytest

from app_server.cli import EXIT_OK, main
from app_server.cli.help import COMMANDS, overview, serve_help
from app_server.cli.terminal import Paint
from app_server.settings import all_settings

PLAIN = Paint(False)


def test_help_on_serve_fits_a_screen() -> None:
    lines = serve_help(80, PLAIN, every=False).splitlines()
    assert 24 <= len(lines) <= 40
    assert max(map(len, lines)) <= 80


def test_common_flags_are_in_the_short_help_and_all_in_the_long_one() -> None:
    short, long = serve_help(80, PLAIN, every=False), serve_help(80, PLAIN, every=True)
    for setting in all_settings():
        words = [setting.flag] if setting.flag else list(setting.environment)
        for word in words:
            assert word is not None and word in long
            assert not setting.common or word in short


def test_long_help_names_every_environment_variable() -> None:
    text = serve_help(80, PLAIN, every=True)
    for setting in all_settings():
        for variable in setting.environment:
            assert variable in text


def test_help_says_the_default() -> None:
    text = serve_help(100, PLAIN, every=True)
    assert "  --port PORT                listen on this port; 0 takes any free one (5006)" in text
    assert "(37000)" in text


def test_overview_names_every_command() -> None:
    text = overview(PLAIN)
    for name, about in COMMANDS.items():
        assert name in text and about in text


@pytest.mark.parametrize("argv", [["-h"], ["--help"], *([name, "-h"] for name in COMMANDS), ["serve", "--help-all"]])
def test_help_is_printed_and_the_status_is_0(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv, {}) == EXIT_OK
    captured = capsys.readouterr()
    assert captured.out.startswith("usage: app-server")
    assert captured.err == ""
    assert "\x1b" not in captured.out


def test_help_is_plain_ascii_for_any_terminal() -> None:
    assert (serve_help(80, PLAIN, every=True) + overview(PLAIN)).isascii()
