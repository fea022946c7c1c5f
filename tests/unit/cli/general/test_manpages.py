"""Manual pages have what --help-all has, in a form that troff reads as text."""

from __future__ import annotations

import re

import pytest

from app_server.cli.commands import NAMES, command_of
from app_server.cli.general.manpages import page, shared_files
from app_server.cli.general.shells import SCRIPTS


def test_every_command_has_a_page_and_every_shell_its_completion() -> None:
    files = shared_files()
    assert {f"share/man/man1/app-server-{name.replace(' ', '-')}.1" for name in NAMES} < set(files)
    assert files["share/man/man1/app-server.1"] == page("")
    assert files["share/bash-completion/completions/app-server"] == f"{SCRIPTS['bash']}\n"
    assert files["share/zsh/site-functions/_app-server"].startswith("#compdef app-server\n")
    assert "share/fish/vendor_completions.d/app-server.fish" in files


@pytest.mark.parametrize("name", NAMES)
def test_page_names_every_flag_with_its_help(name: str) -> None:
    text = page(name).replace(r"\-", "-").replace(r"\(aq", "'").replace(r"\(ga", "`").replace(r"\e", "\\")
    command = command_of(name)
    for flag in command.flags:
        if flag.help:
            assert rf"\fB{flag.spelled}\fR" in text and flag.help in text
    for paragraph in command.text.split("\n\n"):
        assert paragraph in text
    for example in command.examples:
        assert example in text


def test_no_line_of_text_is_a_request() -> None:
    for text in shared_files().values():
        for line in text.splitlines() if text.startswith(".TH") else ():
            assert not line.startswith("'")
            assert not line.startswith(".") or re.match(r"\.(TH|SH|SS|TP|PP|B|BR|br|nf|fi|nh)\b", line), line
