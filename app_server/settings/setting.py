"""What is known of each setting. What follows from a field's name and type is derived, and may be stated instead."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

from app_server.settings import parsers

GROUPS = ("Applications", "Network", "Sessions and signing", "Saved sessions", "Logging in", "TLS",
          "What applications see", "Limits", "Logging", "Monitoring", "Pages", "Processes")  # fmt: skip

METAVARS = {"s": "SECONDS", "ms": "MS", "MB": "MEGABYTES", "bytes": "BYTES"}
"""What stands for the value of a flag with this unit."""


class Arity(Enum):
    """How many words a flag takes."""

    SWITCH = "none: its presence means yes"
    OPTIONAL = "none or one"
    ONE = "one"
    REPEATED = "one, and the flag may be given again"
    SOME = "one or more"
    ANY = "none or more"
    REST = "all that follow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is known of one field of `Settings` besides its type.

    `flag` is None for a setting that has none (most secrets). `environment` holds the variables by precedence, `keys`
    further names that the configuration file accepts. `platform` is the variable by which a hosting platform asks for a
    value, after those of `environment`. With `commas` a word after the flag may hold several values, as
    a variable always may. `lines` is how many lines the file of a secret may have.
    `parse` turns one word into a value and raises ValueError with a phrase that completes "expected ...". `readers`
    holds other parsers for variables and keys that spell the same value differently.
    """

    name: str
    default: Any
    help: str
    reason: str
    group: str
    parse: Callable[[str], Any]
    arity: Arity = Arity.ONE
    flag: str | None = None
    metavar: str = ""
    unit: str = ""
    environment: tuple[str, ...] = ()
    platform: str = ""
    keys: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    common: bool = False
    secret: bool = False
    lines: int = 1
    commas: bool = False
    readers: Mapping[str, Callable[[str], Any]] = field(default_factory=dict)


def setting(default: object, help: str, *, reason: str, secret: bool = False, **stated: Any) -> Any:
    """A field of `Settings` with what does not follow from its name and type."""
    metadata = {"help": help, "reason": reason, "secret": secret, **stated}
    return field(default=default, repr=not secret, metadata=metadata)


def derive(name: str, annotation: Any, default: object, stated: Mapping[str, Any], group: str) -> Setting:
    """A setting: what is stated of it, completed from its field's name and type."""
    kind = _without_none(annotation)
    bare, unit = _split_unit(name)
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    follows: dict[str, Any] = {
        "parse": _parser(kind),
        "arity": _arity(kind),
        "flag": None if stated["secret"] else f"--{bare.replace('_', '-')}",
        "metavar": METAVARS.get(unit, "N" if kind is int else ""),
        "unit": unit,
        "choices": choices,
    }
    return Setting(**{"name": name, "default": default, "group": group, **follows, **stated})


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        return next(kind for kind in get_args(annotation) if kind is not type(None))
    return annotation


def _split_unit(name: str) -> tuple[str, str]:
    """The name without its unit, and the unit."""
    bare, _, last = name.rpartition("_")
    unit = {"s": "s", "ms": "ms", "mb": "MB", "bytes": "bytes"}.get(last, "")
    return (bare, unit) if unit else (name, "")


def _parser(kind: Any) -> Callable[[str], Any]:
    """What reads a value of this type, unless a setting states its own."""
    if get_origin(kind) is Literal:
        return parsers.choice(*get_args(kind))
    found: dict[Any, Callable[[str], Any]] = {bool: parsers.switch, int: parsers.integer(0), float: parsers.seconds}
    return found.get(kind, parsers.text)


def _arity(kind: Any) -> Arity:
    if kind is bool:
        return Arity.SWITCH
    return Arity.REPEATED if get_origin(kind) is tuple else Arity.ONE
