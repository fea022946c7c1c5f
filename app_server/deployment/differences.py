"""What new files change compared with old ones, and whether users will notice."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from app_server.deployment.output_tree import Manifest
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import File, Files
from app_server.deployment.targets import TARGETS

Kind = Literal["new", "changed", "gone"]
# Whose files say with what an instance is started besides its command: variables, secrets, limits, a sandbox.
_STARTERS = ("commands", "gunicorn", "supervisor", "systemd")


@dataclass(frozen=True, slots=True)
class Difference:
    """One file that is new, changed, or no longer needed; `lines` is what `diff -u` would print."""

    path: str
    kind: Kind
    lines: tuple[str, ...]


def differences(
    files: Files, old: Callable[[str, File | None], str | None], gone: Iterable[str]
) -> Iterator[Difference]:
    """The files that differ from what `old` gives for a path, and those that are no longer needed."""
    for path, file in files.items():
        before = old(path, file)
        if before is None:
            yield Difference(path, "new", ())
        elif before != file.text:
            yield Difference(path, "changed", tuple(_unified(path, before, file.text)))
    for path in gone:
        if path not in files and old(path, None) is not None:
            yield Difference(path, "gone", ())


def _unified(path: str, before: str, after: str) -> Iterator[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), f"{path} (now)", path, lineterm="", n=2)
    # The old file can contain anything.
    return ("".join(c if c.isprintable() or c == "\t" else "?" for c in line) for line in lines)


def effects(found: Sequence[Difference], plan: Plan, before: Manifest) -> Iterator[str]:
    """What installing the files does to what runs, one sentence each."""
    if not found:
        yield "Nothing changes."
        return
    touched = {name for name in TARGETS if any(_belongs(each.path, name) for each in found)}
    for name in sorted(touched):
        effect = TARGETS[name].effect
        if effect is not None:
            yield f"{name}: {effect}"
    yield from _instances(plan, before, started_otherwise=any(map(_starts_otherwise, found)))


def _belongs(path: str, target: str) -> bool:
    return path.split("/")[0] == target or path.split(".")[0] == target


def _starts_otherwise(difference: Difference) -> bool:
    """Whether a file that starts instances is another one now, its comments left aside."""
    if difference.path.split("/")[0] not in _STARTERS:
        return False
    changed = [line[1:].strip() for line in difference.lines[2:] if line.startswith(("+", "-"))]
    return not difference.lines or any(line and not line.startswith(("#", ";")) for line in changed)


def _instances(plan: Plan, before: Manifest, *, started_otherwise: bool) -> Iterator[str]:
    """Which instances are restarted, as far as their commands and the files that start them tell."""
    now: Mapping[str, Sequence[str]] = {instance.name: list(instance.command) for instance in plan.instances}
    if not before.commands:
        return
    changed = [name for name in now if name in before.commands and list(before.commands[name]) != list(now[name])]
    added = [name for name in now if name not in before.commands]
    removed = [name for name in before.commands if name not in now]
    drain = _what_becomes_of_sessions(plan)
    if changed:
        yield f"sessions: {_names(changed)} {_have(changed)} a new command and must be restarted; {drain}."
    if removed:
        yield f"sessions: {_names(removed)} {'stop' if len(removed) > 1 else 'stops'}; {drain}."
    if added:
        yield f"sessions: {_names(added)} {'are' if len(added) > 1 else 'is'} new, which affects no one."
    if not (changed or removed or added):
        if started_otherwise:
            yield f"sessions: what starts the instances has changed, with effect from their next start; {drain}."
        else:
            yield "sessions: no instance has a new command, so none is affected."


def _what_becomes_of_sessions(plan: Plan) -> str:
    if plan.drain_s:
        return f"their sessions have {plan.drain_s:g} s to end or to move"
    return "their sessions " + ("move at once" if plan.moves_sessions else "begin again elsewhere")


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"


def _have(names: Sequence[str]) -> str:
    return "have" if len(names) > 1 else "has"
