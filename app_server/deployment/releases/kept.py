"""The releases that a deployment can return to: what each is called, who made it, and which one runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app_server.deployment.rollout.history import Entry
from app_server.deployment.rollout.steps import ago
from app_server.errors import OperatorError, did_you_mean

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,62}")
_NUMBER = re.compile(r"[0-9]+")
# A number that was given to a release; a damaged history may have any.
_COUNTED = re.compile(r"[1-9][0-9]{0,8}")
_SHORTEST_REVISION = 7


@dataclass(frozen=True, slots=True)
class KeptRelease:
    """A release that is still there. What the history does not say is ""."""

    id: str
    """its number, or for hosts the fingerprint of what is in it"""
    name: str = ""
    """what the operator has called it"""
    at: str = ""
    by: str = ""
    revision: str = ""
    """git's, with -dirty if files differed from it"""
    is_current: bool = False

    @property
    def called(self) -> str:
        """The release as messages have it: `3`, or `3 (spring)`."""
        return shown_as(self.id, self.name)


def shown_as(release: str, name: str) -> str:
    """A release with the name that it was given, if it was given one."""
    return f"{release} ({name})" if name else release


def check_name(name: str, taken: Sequence[str] = ()) -> None:
    """OperatorError for a name that no release can have, because it is not a word, or is a command's."""
    if not _NAME.fullmatch(name):
        hint = "Use letters, digits, dots, dashes and underscores, such as v1.4."
        raise OperatorError(f"{name[:70]!r} cannot be the name of a release", where="--name", hint=hint)
    if _NUMBER.fullmatch(name) or name in taken:
        hint = "Choose a word, such as v1.4."
        raise OperatorError(f"{name!r} means something else", where="--name", hint=hint)


def refuse_used(name: str, releases: Sequence[KeptRelease]) -> None:
    """OperatorError if another release has this name."""
    for release in releases:
        if name and name in (release.name, release.id):
            hint = "Choose another name."
            raise OperatorError(f"release {release.id} is called {name!r} already", where="--name", hint=hint)


def of_history(
    entries: Sequence[Entry], target: str, ids: Sequence[str | int], current: str | int | None
) -> list[KeptRelease]:
    """The kept releases of a target, in the order of `ids`, with what the history says of each."""
    made = {entry.release: entry for entry in _done(entries, target) if entry.action == "deploy"}
    return [_with(made.get(str(each)), str(each), each == current) for each in ids]


def _with(entry: Entry | None, release: str, is_current: bool) -> KeptRelease:
    if entry is None:
        return KeptRelease(release, is_current=is_current)
    return KeptRelease(release, entry.name, entry.at, entry.by, entry.revision, is_current)


def _done(entries: Sequence[Entry], target: str) -> Iterator[Entry]:
    for entry in entries:
        # Older versions have not written down the target.
        if entry.result == "done" and entry.target in (target, ""):
            yield entry


def find(releases: Sequence[KeptRelease], wanted: str) -> KeptRelease:
    """The release that a word means: its number, its name, or the revision it was made from. OperatorError."""
    exact = [each for each in releases if wanted in (each.id, each.name)]
    if exact:
        return exact[-1]
    of_revision = [each for each in releases if _is_revision(wanted, each.revision)]
    if len(of_revision) == 1:
        return of_revision[0]
    if of_revision:
        which = ", ".join(each.called for each in of_revision)
        hint = "Name the release by its number."
        raise OperatorError(f"releases {which} are of revision {wanted}", where="--rollback", hint=hint)
    known = [word for each in releases for word in (each.id, each.name) if word]
    hint = did_you_mean(wanted, known) or f"There {'is' if len(releases) == 1 else 'are'} {_listed(releases)}."
    raise OperatorError(f"no release is called {wanted[:60]!r}", where="--rollback", hint=hint)


def _is_revision(wanted: str, revision: str) -> bool:
    is_long_enough = len(wanted) >= _SHORTEST_REVISION
    return is_long_enough and (wanted == revision or revision.removesuffix("-dirty").startswith(wanted))


def _listed(releases: Sequence[KeptRelease]) -> str:
    return ", ".join(each.called for each in releases) or "none"


def way_back(releases: Sequence[KeptRelease], wanted: str, before: str | None) -> KeptRelease | None:
    """The release to restore: the wanted one, or the one before; None if there is none. OperatorError."""
    if wanted:
        found = find(releases, wanted)
        if found.is_current:
            raise OperatorError(f"release {found.called} is the one that runs", where="--rollback")
        return found
    return next((each for each in releases if each.id == before), None)


def served_before(entries: Sequence[Entry], target: str, releases: Sequence[KeptRelease]) -> str | None:
    """The number of the release that was served before the current one and was not taken back; None for none.

    After a way back from 3 to 2 and a new release 4, the way back from 4 leads to 2: 3 was taken back for a reason.
    """
    current = next((each.id for each in releases if each.is_current), None)
    if current is None:
        return None
    ids = [each.id for each in releases]
    served: list[str] = []
    for entry in _done(entries, target):
        if entry.action not in ("deploy", "rollback") or not entry.release:
            continue
        if entry.action == "rollback" and entry.release in served:
            del served[served.index(entry.release) :]
        served.append(entry.release)
    if current not in served:
        # What runs was made before there was a history.
        nearest = ago([*map(int, ids)], int(current))
        return None if nearest is None else str(nearest)
    last = len(served) - 1 - served[::-1].index(current)
    return next((each for each in reversed(served[:last]) if each in ids and each != current), None)


def worth_keeping(
    entries: Sequence[Entry], target: str, ids: Sequence[int], current: int | None, most: int
) -> set[int]:
    """The numbers of the latest releases, of the current one, and of the one before it."""
    known = of_history(entries, target, ids, current)
    before = served_before(entries, target, known)
    return {*sorted(ids)[-most:], *([] if current is None else [current]), *([] if before is None else [int(before)])}


def next_number(entries: Sequence[Entry], target: str, ids: Sequence[int]) -> int:
    """The number of the next release, which no other release ever had."""
    used = [int(entry.release) for entry in _done(entries, target) if _COUNTED.fullmatch(entry.release)]
    return max([*ids, *used, 0]) + 1
