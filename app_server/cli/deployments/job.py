"""One target, or all of them, of one deployment: rendered, then printed, written, compared or checked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.cli.deployments.described import as_typed
from app_server.cli.deployments.loading import path_to_source, plan_of
from app_server.cli.terminal import Paint, say
from app_server.deployment.targets import TARGETS, Layout

if TYPE_CHECKING:
    from app_server.deployment.differences import Difference
    from app_server.deployment.load import LoadedSpec
    from app_server.deployment.plan.values import Plan
    from app_server.deployment.render import File

ALL = "all"
"""The word for every target that a deployment has."""

EXIT_DIFFERENT = 1
EXIT_FAULTY = 1


class Job:
    """One target, or all of them, of one deployment."""

    def __init__(
        self, target: str, loaded: LoadedSpec, words: tuple[str, ...], paint: Paint, folder: Path | None = None
    ) -> None:
        from app_server.deployment.render import is_wanted, render
        from app_server.deployment.rules import enforce

        self.paint = paint
        self.plan = plan_of(loaded, "host", words)
        self.files: dict[str, File] = {}
        self.plans: dict[str, Plan] = {}
        layouts: dict[Layout, Plan] = {"host": self.plan}
        beside = path_to_source(loaded, folder)
        # What is right for hosts may be wrong for containers, and the other way round.
        judged: Layout = "host" if target == ALL else TARGETS[target].layout
        if judged != "host":
            layouts[judged] = plan_of(loaded, judged, words, beside)
        for warning in enforce(loaded, layouts[judged]):
            self.warn(str(as_typed(warning) if "--app" in words else warning))
        for name in TARGETS if target == ALL else [target]:
            layout = TARGETS[name].layout
            if layout not in layouts:
                layouts[layout] = plan_of(loaded, layout, words, beside)
            if target != ALL or is_wanted(name, layouts[layout]):
                self.plans[name] = layouts[layout]
                self.files.update(render(name, layouts[layout]))
        if not self.files:
            self.warn(f"{target}: the deployment does not have {TARGETS[target].about}")

    def warn(self, text: str, word: str = "warning") -> None:
        """Print a line to stderr; stdout holds only the files."""
        print(f"{self.paint('fault', 'app-server:')} {word}: {' '.join(text.split())}", file=sys.stderr, flush=True)

    def print(self) -> int:
        """Print the files; 0."""
        for number, (path, file) in enumerate(self.files.items()):
            if len(self.files) > 1:
                say(("\n" if number else "") + f"# ==> {path}" + (f" ({file.install})" if file.install else ""))
            say(file.text.removesuffix("\n"))
        return 0

    def write(self, folder: Path, *, force: bool) -> int:
        """Write the files into a folder; 0."""
        from app_server.deployment.output_tree import read_manifest, write_tree

        gone = sorted(set(read_manifest(folder).hashes) - set(self.files)) if folder.is_dir() else []
        write_tree(folder, self.plan, self.files, force=force)
        say(f"{len(self.files)} file{'' if len(self.files) == 1 else 's'} in {folder}")
        if gone:
            named = ", ".join(gone[:3]) + (f" and {len(gone) - 3} more" if len(gone) > 3 else "")
            say(f"removed files of other targets: {named}")
        return 0

    def diff(self, folder: Path | None) -> int:
        """Print what would change, and what that means for sessions; 0 if nothing changes, else 1."""
        from app_server.deployment.differences import differences, effects
        from app_server.deployment.output_tree import read_manifest, text_of

        written = folder if folder is not None else Path(self.plan.paths.etc)
        manifest = read_manifest(written)

        def old(path: str, file: File | None) -> str | None:
            if folder is not None or file is None:
                return text_of(written / path)
            return text_of(Path(file.install)) if file.install is not None else file.text

        # With one target, the files of others stay out of the comparison.
        gone = manifest.hashes if len(self.plans) > 1 else ()
        found = list(differences(self.files, old, gone))
        for each in found:
            say_difference(each)
        say("\n".join(effects(found, self.plan, manifest)))
        return EXIT_DIFFERENT if found else 0

    def check(self) -> int:
        """Print what the checks find; 1 if the deployment would not work."""
        from app_server.deployment.checks import check

        found = [finding for name, plan in self.plans.items() for finding in check(name, plan, self.files)]
        for finding in dict.fromkeys(found):  # several targets may have the same fault
            say(f"{finding.level:<8}{finding}")
        return EXIT_FAULTY if any(finding.level == "fault" for finding in found) else 0


def say_difference(each: Difference) -> None:
    """Print one file's difference."""
    about = {"new": "is new", "changed": "changes", "gone": "is no longer needed"}[each.kind]
    say("\n".join([f"{each.path} {about}", *each.lines]))
