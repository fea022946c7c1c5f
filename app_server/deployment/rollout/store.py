"""Where the releases of a deployment are kept: which one runs, which ones there are, and who is rolling out now."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app_server import system
from app_server.deployment.rollout.history import operator, write_line
from app_server.errors import OperatorError

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class Store:
    """The folder of a deployment's releases: releases/N, `current` which leads to one, and the log of who did what."""

    folder: Path
    name: str
    """the deployment's, which the log has in each line"""

    def releases(self) -> list[int]:
        """The numbers of all releases that are kept."""
        return sorted(int(path.name) for path in self.folder.glob("releases/*") if _NUMBER.fullmatch(path.name))

    def current(self) -> int | None:
        """The release that runs, None before the first."""
        try:
            return int((self.folder / "current").readlink().name)
        except (OSError, ValueError):
            return None

    def path(self, number: int) -> Path:
        """The folder of a release."""
        return self.folder / "releases" / str(number)

    def is_alike(self, number: int, other: int) -> bool:
        """Whether two releases are of one environment, as the heads of their files tell."""

        def environment(release: int) -> str:
            with suppress(OSError):
                text = (self.path(release) / "compose.yaml").read_text(encoding="utf-8", errors="replace")
                if found := re.search(r"^#.* (?:-e|--environment)[ =](\S+)", text, re.MULTILINE):
                    return found[1]
            return ""

        return environment(number) == environment(other)

    def make_current(self, number: int) -> None:
        """Lead `current` to a release, in one step."""
        draft = self.folder / ".current"
        draft.unlink(missing_ok=True)
        draft.symlink_to(Path("releases") / str(number))
        draft.replace(self.folder / "current")

    def note(self, text: str) -> None:
        """Write down who did what, and when."""
        when = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        write_line(self.folder / "log", f"{when} {operator()}: {self.name}: {text}")

    def holder(self) -> str | None:
        """The name of the deployment whose releases are kept here, None before the first."""
        with suppress(OSError):
            text = (self.folder / "current" / "compose.yaml").read_text(encoding="utf-8", errors="replace")
            if found := re.search(r'^name: "?([a-z0-9_-]+)"?$', text, re.MULTILINE):
                return found[1]
        with suppress(OSError, ValueError, RecursionError):
            about = json.loads((self.folder / "release" / "release.json").read_text(encoding="utf-8"))
            return str(about["name"]) if isinstance(about, dict) and "name" in about else None
        return None

    def roller(self) -> str | None:
        """Who is rolling out now; None if no one is."""
        try:
            lock = (self.folder / "lock").open("r", encoding="utf-8", errors="replace")
        except OSError:
            return None
        with lock:
            if not system.lock(lock, shared=True):
                return lock.read().strip().rstrip(",") or "another user"
        return None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One roll-out at a time. OperatorError if the folder contains another deployment's releases."""
        holder = self.holder()
        if holder is not None and holder != self.name:
            what = f"holds the releases of {holder}, and this is {self.name}"
            raise OperatorError(what, where=str(self.folder), hint="Use a separate --store for each.")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / "lock").open("a+", encoding="utf-8", errors="replace")
        except OSError as error:
            raise OperatorError(f"cannot be written: {error.strerror}", where=str(self.folder)) from None
        with lock:
            if not system.lock(lock):
                lock.seek(0)
                holder = lock.read().strip() or "another user"
                hint = "Wait until it is done."
                raise OperatorError(f"{holder} is already rolling out", where=str(self.folder), hint=hint)
            lock.truncate(0)
            lock.write(f"{operator()}, process {os.getpid()},")
            lock.flush()
            yield
