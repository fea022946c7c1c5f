"""What completes a command line: commands, flags, choices, running servers, or files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from app_server.cli.command import Choices, Command, Flag, Word
from app_server.cli.commands import COMMANDS, command_of, named_in, verbs_of
from app_server.settings import Arity

FILES = ":files"
"""The line that asks the shell to add the names of files."""

_PATHS = ("FILE", "PATH", "DIR", "FILE_OR_DIR", "[FILE ...]")
_GENERAL = {"--help": "show help"}


@dataclass(frozen=True, slots=True)
class Candidates:
    """Words that fit, with their descriptions, and whether files fit too. `before` is put before each word."""

    words: Choices = field(default_factory=dict)
    files: bool = False
    before: str = ""


def answer(words: Sequence[str], environ: Mapping[str, str]) -> str:
    """The lines for a shell that completes the last of these words, which follow the program's name."""
    prefix = words[-1] if words else ""
    found = candidates(_joined(words), environ)
    lines = [f"{found.before}{word}\t{about}" for word, about in found.words.items()]
    # A shell that splits at "=" completes only what stands behind it.
    begun = "" if prefix == "=" else prefix
    return "\n".join([*(line for line in lines if line.startswith(begun)), *([FILES] if found.files else [])])


def candidates(words: Sequence[str], environ: Mapping[str, str]) -> Candidates:
    """What can replace the last word."""
    *before, current = words or [""]
    if not before:
        general = {**_GENERAL, "--version": "print the version"}
        return Candidates(general if current.startswith("-") else {**COMMANDS, "help": "show help on a command"})
    name = before[0]
    if name == "help":
        return Candidates(COMMANDS if len(before) == 1 else verbs_of(before[1]) if len(before) == 2 else {})
    if name not in COMMANDS:
        return Candidates()
    full = named_in(before)
    found = _of_command(command_of(full), before[1 + full.count(" ") :], current, environ)
    if len(before) == 1 and not current.startswith("-"):
        return replace(found, words={**found.words, **verbs_of(name)})
    return found


def _of_command(command: Command, before: Sequence[str], current: str, environ: Mapping[str, str]) -> Candidates:
    flags = {name: flag for flag in command.flags for name in flag.names}
    if current.startswith("--") and "=" in current:
        name = current.partition("=")[0]
        return _of_argument(flags[name], before=f"{name}=") if name in flags else Candidates()
    if (flag := _open_flag(flags, before)) is not None:
        return _of_argument(flag)
    if current.startswith("-"):
        own = {flag.names[-1]: flag.help for flag in command.flags if flag.names and flag.help}
        return Candidates({**own, **_GENERAL})
    return _of_words(command.words, flags, before, environ)


def _open_flag(flags: Mapping[str, Flag], before: Sequence[str]) -> Flag | None:
    """The flag whose argument comes next; None if a word of the command does, or a flag."""
    for distance, word in enumerate(reversed(before)):
        if (flag := flags.get(word)) is not None:
            many = flag.arity in (Arity.SOME, Arity.ANY, Arity.REST)
            return flag if flag.arity is not Arity.SWITCH and (many or distance == 0) else None
    return None


def _words_before(flags: Mapping[str, Flag], before: Sequence[str]) -> int:
    """How many words of the command were typed: those that are neither flags nor their arguments."""
    plain = [number for number, word in enumerate(before) if not word.startswith("-")]
    return sum(1 for number in plain if _open_flag(flags, before[:number]) is None)


def _of_argument(flag: Flag, before: str = "") -> Candidates:
    return Candidates(flag.choices, flag.metavar in _PATHS, before)


def _of_words(
    words: Sequence[Word], flags: Mapping[str, Flag], before: Sequence[str], environ: Mapping[str, str]
) -> Candidates:
    """What fits as the next word."""
    typed = _words_before(flags, before)
    if not words or (typed >= len(words) and not words[-1].many):
        return Candidates()
    word = words[min(typed, len(words) - 1)]
    found = word.candidates(before, environ) if word.candidates is not None else word.choices
    return Candidates(found, word.metavar in _PATHS)


def _joined(words: Sequence[str]) -> list[str]:
    """The words as the program gets them: bash splits `--port=80` into three, and completes only the value."""
    found = list(words)
    for number in range(len(found) - 1, 0, -1):
        if found[number] == "=":
            del found[number]
            if number == len(found):
                found.append("")
    return found
