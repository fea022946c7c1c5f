"""The texts of --help, derived from the commands' descriptions and wrapped to the terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from app_server.cli.command import Command, Flag, Word
from app_server.cli.commands import COMMANDS, GROUPS, VERBS
from app_server.cli.terminal import Paint
from app_server.settings import Arity

INDENT = 2
COMMON = "Common flags"
# Where the help of a flag begins; a longer flag has its help on the next line.
FLAG_COLUMNS = 29
COMMAND_COLUMNS = 15
# A longer remark in brackets may be broken.
LONGEST_REMARK = 40


def overview(paint: Paint, width: int = 80) -> str:
    """What `app-server --help` prints."""
    lines = [f"{paint('heading', 'usage:')} app-server COMMAND ...", ""]
    lines += textwrap.wrap("Serve Bokeh applications, and keep their objects in Python and in browsers in sync.", width)
    for group in GROUPS:
        lines += ["", paint("heading", group.title)]
        for name, about in group.commands.items():
            lines += _row(name, about, width, paint, COMMAND_COLUMNS)
    lines += ["", paint("heading", "Flags")]
    lines += _row("-h, --help", "show help; `app-server help COMMAND` shows a command's", width, paint)
    lines += _row("-V, --version", "print the version", width, paint)
    return "\n".join([*lines, "", *_examples(("app-server serve myapp.py --show",), paint)])


def command_help(name: str, command: Command, paint: Paint, width: int = 80, *, every: bool = False) -> str:
    """What `app-server NAME --help` prints: the common flags, or with `every` all of them."""
    every = every or not command.is_long
    lines = [*_usage(name, command, paint, width), ""]
    for paragraph in (command.text or f"{COMMANDS[name][0].upper()}{COMMANDS[name][1:]}.").split("\n\n"):
        lines += [*textwrap.wrap(paragraph, width, break_on_hyphens=False), ""]
    for word in command.words:
        lines += _word(word, width, paint)
    if name in VERBS:
        lines.append(paint("heading", VERBS[name].title))
        for verb, about in VERBS[name].commands.items():
            lines += _row(verb, about, width, paint, COMMAND_COLUMNS)
        lines += ["", f"`app-server help {name} {next(iter(VERBS[name].commands))}` shows the flags of one.", ""]
    for title, flags in by_group(command, every=every).items():
        lines.append(paint("heading", title))
        for flag in flags:
            lines += _row(flag.spelled, about_flag(flag, every=every), width, paint)
        lines.append("")
    if command.notes:
        lines += [*textwrap.wrap(command.notes, width, break_on_hyphens=False), ""]
    lines += _examples(command.examples, paint)
    if command.is_long:
        more = "--help-all shows all flags, with their environment variables."
        lines += ["", "docs/settings.md explains each setting." if every else more]
    return "\n".join(lines)


def _usage(name: str, command: Command, paint: Paint, width: int) -> Iterator[str]:
    head = paint("heading", "usage:")
    for form in command.forms:
        line = f"app-server {name} {form}".rstrip()
        for number, part in enumerate(textwrap.wrap(line, width - 7, subsequent_indent="    ")):
            yield f"{head if number == 0 else '      '} {part}"
        head = "      "


def by_group(command: Command, *, every: bool) -> dict[str, list[Flag]]:
    """The flags to show, those with a help, by the title above them, in the order of the titles' first flags."""
    found: dict[str, list[Flag]] = {}
    for flag in command.flags:
        if flag.help and (flag.common or every):
            found.setdefault(flag.group if every else COMMON, []).append(flag)
    return found


def _word(word: Word, width: int, paint: Paint) -> Iterator[str]:
    """The lines on a word that is not a flag; its choices are a list if they are explained."""
    if any(word.choices.values()):
        yield paint("heading", word.metavar)
        for choice, about in word.choices.items():
            yield from _row(choice, about, width, paint, COMMAND_COLUMNS)
    else:
        yield from _row(word.metavar, with_choices(word.help, tuple(word.choices)), width, paint)
    yield ""


def about_flag(flag: Flag, *, every: bool) -> str:
    """The help of a flag, with its choices, its default and, in the long help, its environment variables."""
    text = with_choices(flag.help, tuple(flag.choices))
    if flag.arity is Arity.REPEATED:
        text += " (repeatable)"
    if flag.default:
        text += f" [default: {flag.default}]"
    return text + (f" [env: {', '.join(flag.variables)}]" if every and flag.variables else "")


def with_choices(text: str, choices: tuple[str, ...]) -> str:
    """A help with the words that can be typed."""
    return f"{text}: {', '.join(choices)}" if choices else text


def _row(head: str, text: str, width: int, paint: Paint, column: int = FLAG_COLUMNS) -> Iterator[str]:
    """What can be typed, with its help beside it, or below it if there is no room."""
    kept = re.sub(rf"\[[^\]]{{1,{LONGEST_REMARK}}}\]", lambda found: found[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(kept, max(width - column, 20), break_on_hyphens=False)
    wrapped = [line.replace("\0", " ") for line in lines]
    start = " " * INDENT + head
    if len(start) + 2 > column:
        yield paint("word", start)
    else:
        yield paint("word", start) + " " * (column - len(start)) + (wrapped.pop(0) if wrapped else "")
    for line in wrapped:
        yield " " * column + line


def _examples(examples: tuple[str, ...], paint: Paint) -> list[str]:
    title = "Example" if len(examples) == 1 else "Examples"
    return [paint("heading", title), *(f"  {example}" for example in examples)]
