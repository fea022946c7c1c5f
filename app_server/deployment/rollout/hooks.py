"""What people want done around a roll-out: programs in hooks/, beside deploy.yaml.

`before-deploy` runs when the plan is known and nothing has been changed yet; if it fails, nothing is changed.
`after-deploy` runs at the end, `deploy-failed` where a roll-out has not come to one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app_server.deployment.progress.progress import Progress
from app_server.deployment.rollout.history import operator
from app_server.errors import OperatorError

FOLDER = "hooks"
VARIABLES = ("name", "target", "action", "environment", "url", "hosts", "release", "by", "seconds", "error")
"""What hooks may find in APP_SERVER_DEPLOY_..., in capitals."""
BEFORE, AFTER, FAILED = "before-deploy", "after-deploy", "deploy-failed"


@dataclass(frozen=True)
class RolloutHooks:
    """The hooks of one roll-out; `folder` is where deploy.yaml is, None if no hook is to run."""

    folder: Path | None
    about: Mapping[str, str] = field(default_factory=dict)
    to_stderr: bool = False
    """whether what they print goes to stderr, because stdout is for a program that reads JSON"""

    def environ(self, **more: str) -> Mapping[str, str]:
        """This process's variables, and APP_SERVER_DEPLOY_ with what is known of the roll-out."""
        known = {"by": operator(), **self.about, **more}
        return {**os.environ, **{f"APP_SERVER_DEPLOY_{name.upper()}": value for name, value in known.items()}}

    def find(self, name: str) -> Path | None:
        """The program of a hook, None if there is none. OperatorError if it cannot be one."""
        if self.folder is None or not (path := self.folder / FOLDER / name).is_file():
            return None
        if not os.access(path, os.X_OK):
            raise OperatorError("is not executable", where=str(path), hint=f"chmod +x {path}")
        return path

    def look(self) -> None:
        """OperatorError for any hook that cannot be run, before it is needed."""
        for name in (BEFORE, AFTER, FAILED):
            self.find(name)

    def before(self, **about: str) -> None:
        """Run the hook before a roll-out. OperatorError if it fails."""
        status = self._run(BEFORE, **about)
        if status:
            where = f"{FOLDER}/{BEFORE}"
            raise OperatorError(f"ended with {status}", where=where, hint="Nothing was changed.")

    def after(self, progress: Progress, **about: str) -> bool:
        """Run the hook after a roll-out; whether it succeeded. The roll-out stays in any case."""
        return self._last(AFTER, progress, **about)

    @contextmanager
    def around(self, progress: Progress, **about: str) -> Iterator[None]:
        """Run the hook before a roll-out, and the failure hook if the roll-out raises OperatorError."""
        self.before(**about)
        try:
            yield
        except OperatorError as error:
            self._last(FAILED, progress, **about, error=str(error))
            raise

    def _last(self, name: str, progress: Progress, **about: str) -> bool:
        status = self._run(name, **about)
        if status:
            progress(f"{FOLDER}/{name}: ended with {status}")
        return not status

    def _run(self, name: str, **about: str) -> int:
        path = self.find(name)
        if path is None or self.folder is None:
            return 0
        sys.stdout.flush()
        try:
            return subprocess.call(
                [path.resolve()], cwd=self.folder, env=self.environ(**about), stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno() if self.to_stderr else None,
            )  # fmt: skip
        except OSError as error:
            raise OperatorError(f"cannot be run: {error.strerror}", where=str(path)) from None
