"""What describes a command: its words, flags and examples. The parser, the help and the completion follow from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app_server.errors import OperatorError, did_you_mean
from app_server.settings import Arity, Setting

Choices = Mapping[str, str]
"""The words to choose from, and what each means; "" if it is obvious."""

Candidates = Callable[[Sequence[str], Mapping[str, str]], Choices]
"""Finds words to complete with, given what was typed before and the environment: the processes of servers, say."""


def choices(*words: str) -> Choices:
    """Choices that need no explanation."""
    return dict.fromkeys(words, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A flag. `names` has the long name last; without names it documents an environment variable, the metavar.

    `default` is what the help shows; a flag without a help is not shown. `dest` is the attribute of the namespace,
    by default the long name's.
    `checked` is False if another parser checks the words, such as that of the settings.
    """

    names: tuple[str, ...]
    help: str
    metavar: str = ""
    arity: Arity = Arity.ONE
    default: str = ""
    choices: Choices = field(default_factory=dict)
    group: str = "Flags"
    dest: str = ""
    variables: tuple[str, ...] = ()
    common: bool = True
    checked: bool = True

    @property
    def name(self) -> str:
        """The attribute of the namespace that holds what was typed."""
        return self.dest or self.names[-1].lstrip("-").replace("-", "_")

    @property
    def spelled(self) -> str:
        """The flag with its argument, as the help shows it."""
        several = " ..." if self.arity in (Arity.SOME, Arity.REST) else ""
        return f"{', '.join(self.names)} {self.metavar}{several}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """An argument that is not a flag, such as a file or a target; `many` for any number of them.

    `rest` is all that follows, whatever it looks like, such as a command with flags of its own.
    """

    name: str
    metavar: str
    help: str
    many: bool = False
    rest: bool = False
    required: bool = False
    choices: Choices = field(default_factory=dict)
    candidates: Candidates | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command's interface. `forms` are the lines of its usage after the command's name; each example is a line."""

    forms: tuple[str, ...]
    text: str
    examples: tuple[str, ...]
    words: tuple[Word, ...] = ()
    flags: tuple[Flag, ...] = ()
    notes: str = ""

    @property
    def is_long(self) -> bool:
        """Whether --help leaves flags out, which --help-all shows."""
        return not all(flag.common for flag in self.flags)


def wrong_choice(word: str, known: Iterable[str], where: str, example: str) -> OperatorError:
    """What to say of a word that is not one of the known ones, or of "" for a missing one."""
    hint = did_you_mean(word, known) if word else f"For example: {example}"
    what = f"expected one of {', '.join(known)}" + (f", not {word[:60]!r}" if word else "")
    return OperatorError(what, where=where, hint=hint)


def switch(name: str, help: str, *, group: str = "Flags", short: str | None = None) -> Flag:
    """A flag without an argument."""
    names = (name,) if short is None else (short, name)
    return Flag(names=names, help=help, arity=Arity.SWITCH, group=group)


def flag_of(setting: Setting) -> Flag:
    """The flag that gives a setting; its words are checked with the environment's and the file's."""
    return Flag(
        names=() if setting.flag is None else (setting.flag,),
        help=setting.help,
        metavar=setting.metavar if setting.flag is not None else " ".join(setting.environment),
        arity=setting.arity,
        default=_shown(setting),
        choices=choices(*setting.choices),
        group=setting.group,
        dest=setting.name,
        variables=(*setting.environment, *filter(None, (setting.platform,))) if setting.flag is not None else (),
        common=setting.common,
        checked=False,
    )


def flags_of(settings: Iterable[Setting]) -> tuple[Flag, ...]:
    """The flags that give these settings. Of two settings that share a flag, the last says which words it takes."""
    found: dict[str, Flag] = {}
    for setting in settings:
        key, flag = setting.flag or setting.name, flag_of(setting)
        if shared := found.get(key):
            flag = replace(shared, dest=flag.dest, arity=flag.arity)
        found[key] = flag
    return tuple(found.values())


def _shown(setting: Setting) -> str:
    if setting.arity is not Arity.ONE or setting.default in (None, ""):
        return ""
    return f"{setting.default:g}" if isinstance(setting.default, float) else str(setting.default)
