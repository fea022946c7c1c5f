"""Manual pages (man 1), derived from the commands' descriptions; a wheel installs them into share/man/man1.

The roff is that of man(7): a paragraph with a tag is `.TP`, and a line that begins with a dot or a quote is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator

from app_server.cli.command import Command, Word
from app_server.cli.commands import COMMANDS, GROUPS, NAMES, VERBS, command_of, verbs_of
from app_server.cli.general.shells import SCRIPTS
from app_server.cli.help import about_flag, by_group, with_choices
from app_server.version import __version__

PROGRAM = "app-server"
COMPLETIONS = {
    "bash": f"share/bash-completion/completions/{PROGRAM}",
    "zsh": f"share/zsh/site-functions/_{PROGRAM}",
    "fish": f"share/fish/vendor_completions.d/{PROGRAM}.fish",
}
"""Where each shell looks for a program's completion, below a prefix such as /usr or a virtual environment."""


def shared_files() -> dict[str, str]:
    """What a wheel installs beside the package: manual pages and completions, by their paths below the prefix."""
    pages = {f"share/man/man1/{_file_of(name)}.1": page(name) for name in ("", *NAMES)}
    return {**pages, **{path: f"{SCRIPTS[shell]}\n" for shell, path in COMPLETIONS.items()}}


def page(name: str) -> str:
    """The manual page of a command such as `deploy logs`, or with "" that of the program."""
    return "\n".join(_overview() if not name else _command(name, command_of(name))) + "\n"


def _overview() -> Iterator[str]:
    yield from _head("", "serve Bokeh applications")
    yield from (".SH SYNOPSIS", f".B {PROGRAM}", _text("COMMAND ..."), ".SH DESCRIPTION")
    yield _text("Serves Bokeh applications, and keeps their objects in Python and in browsers in sync.")
    for group in GROUPS:
        yield f".SS {_text(group.title)}"
        for name, about in group.commands.items():
            yield from _tagged(f"{_file_of(name)}(1)", about)
    yield ".SH OPTIONS"
    yield from _tagged("-h, --help", "Show help; app-server help COMMAND shows a command's.")
    yield from _tagged("-V, --version", "Print the version.")
    yield from _examples((f"{PROGRAM} serve myapp.py --show",))


def _command(name: str, command: Command) -> Iterator[str]:
    yield from _head(name, _about(name))
    yield ".SH SYNOPSIS"
    for number, form in enumerate(command.forms):
        yield from (".br",) if number else ()
        yield from (f".B {PROGRAM} {name}", *([_text(form)] if form else []))
    yield ".SH DESCRIPTION"
    for number, paragraph in enumerate(command.text.split("\n\n")):
        yield from (".PP",) if number else ()
        yield _text(paragraph)
    for word in command.words:
        yield from _word(word)
    for verb, about in verbs_of(name).items():
        yield from _tagged(f"{_file_of(f'{name} {verb}')}(1)", about)
    for title, flags in by_group(command, every=True).items():
        yield f".SH {_text(title.upper())}"
        for flag in flags:
            yield from _tagged(flag.spelled, about_flag(flag, every=True))
    if command.notes:
        yield from (".SH NOTES", _text(command.notes))
    yield from _examples(command.examples)
    yield ".SH SEE ALSO"
    yield f".BR {PROGRAM} (1)"


def _head(name: str, about: str) -> Iterator[str]:
    yield f'.TH "{_file_of(name).upper()}" "1" "" "{PROGRAM} {__version__}" "User Commands"'
    yield ".nh"
    yield from (".SH NAME", rf"{_text(_file_of(name))} \- {_text(about)}")


def _about(name: str) -> str:
    first, _, verb = name.partition(" ")
    return VERBS[first].commands[verb] if verb else COMMANDS[name]


def _word(word: Word) -> Iterator[str]:
    if not any(word.choices.values()):
        yield from _tagged(word.metavar, with_choices(word.help, tuple(word.choices)))
        return
    for choice, about in word.choices.items():
        yield from _tagged(choice, about)


def _tagged(tag: str, text: str) -> Iterator[str]:
    yield from (".TP", rf"\fB{_text(tag)}\fR", _text(text))


def _examples(examples: tuple[str, ...]) -> Iterator[str]:
    yield from (".SH EXAMPLES", ".nf", *map(_text, examples), ".fi")


def _text(text: str) -> str:
    """A line of text in which nothing is a request or an escape."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("`", r"\(ga")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _file_of(name: str) -> str:
    """The page's name: app-server-deploy-logs."""
    return "-".join((PROGRAM, *name.split()))
