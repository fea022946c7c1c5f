"""`app-server restore`: bring back what `app-server backup` has written."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import BinaryIO

from app_server.cli.command import Command, Word, switch
from app_server.cli.deployments.backups import FLAGS, STDIO, Subject, in_words, opened_store, scratch_file, subject_of
from app_server.cli.terminal import say
from app_server.errors import OperatorError
from app_server.store.backup.archive import BackupWriter, Description, check, members
from app_server.store.backup.files import plan_files, restore_files
from app_server.store.backup.sessions import Restored

COMMAND = Command(
    forms=("FILE [-f FILE] [-e NAME] [--target TARGET]", "FILE --store WHERE [--also [NAME=]PATH ...]"),
    text="Restore sessions, bookmarks, secrets and certificates from a file that `app-server backup` has written. "
    "Files go where deploy.yaml or --also says, whatever the backup says. Nothing is restored from a damaged backup, "
    "or if a file would be replaced by another one. Sessions that exist stay as they are; servers may run meanwhile.",
    examples=("app-server restore tools.backup", "age -d tools.backup.age | app-server restore -",
              "app-server restore x.backup --store redis://10.0.0.5 --also /etc/x/secret_key"),
    words=(Word(name="input", metavar="FILE", help="the backup, `-` for stdin"),),
    flags=(*FLAGS, switch("--force", "replace files that differ")),
)  # fmt: skip


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What restores the backup."""
    if not namespace.input:
        raise OperatorError("is required", where="FILE", hint="For example: app-server restore tools.backup")
    path, overwrite = None if namespace.input == STDIO else Path(namespace.input), "force" in namespace
    subject = subject_of(namespace, environ, "restore", ["--force"] if overwrite else [])
    return partial(run, subject, path, overwrite=overwrite)


def run(subject: Subject, path: Path | None, *, overwrite: bool = False) -> int:
    """Restore the backup, and say what came of it; 0."""
    where = "stdin" if path is None else str(path)
    with _opened(path) as file:
        about = check(file, where)
        if subject.carrier is not None and subject.carries_files:
            say(subject.carrier.send(file).rstrip("\n"))
        else:
            _restore(subject, file, about, where, overwrite=overwrite)
    return 0


@contextmanager
def _opened(path: Path | None) -> Iterator[BinaryIO]:
    """The backup as a file that can be read twice. OperatorError if it cannot be read."""
    if path is None and sys.stdin is None:
        raise OperatorError("is closed", where="stdin", hint="Name a file, or pipe one into this program.")
    try:
        opened = sys.stdin.buffer if path is None else path.open("rb")
    except OSError as error:
        raise OperatorError(f"cannot be read: {error.strerror}", where=str(path)) from None
    with opened if path is not None else nullcontext():
        if path is not None and opened.seekable():
            yield opened
            return
        # Also a pipe with a name, such as of the shell's <(age -d tools.backup.age).
        with scratch_file() as file:
            shutil.copyfileobj(opened, file)
            file.seek(0)
            yield file


def _restore(subject: Subject, file: BinaryIO, about: Description, where: str, *, overwrite: bool) -> None:
    # Their sizes are limited, and there are few.
    found = [member for member in members(file, where) if member.kind == "file"]
    planned = plan_files(found, subject.files, overwrite=overwrite)
    file.seek(0)
    if about.amounts["session"] or about.amounts["bookmark"]:
        _restore_sessions(subject, file, where)
    for line in restore_files(planned):
        say(line)
    restored = {each.member.name for each in planned}
    for role in about.files:
        if role not in restored:
            say(f"{role}: left out, because no place is named for it; give --also {_also(role)}")
    if any(not each.is_there for each in planned):
        say("Servers read secrets and certificates when they start: restart them, or roll out again.")


def _also(role: str) -> str:
    return role.removeprefix("file:") if role.startswith("file:") else f"{role}=PATH"


def _restore_sessions(subject: Subject, file: BinaryIO, where: str) -> None:
    """Restore the sessions and bookmarks, wherever they belong."""
    if subject.carrier is not None:
        with scratch_file() as sent:
            writer = BackupWriter(sent, subject.name, "")
            for member in members(file, where):
                if member.kind != "file":
                    writer.add(member)
            writer.finish()
            sent.seek(0)
            say(subject.carrier.send(sent).rstrip("\n"))
    elif subject.settings is not None:
        restored, now_s = Restored(), time.time()
        with opened_store(subject.settings, to_restore=True) as store:
            for member in members(file, where):
                if member.kind != "file":
                    restored.add(store, member, now_s)
        kept = f"; {restored.kept} that exist stay as they are" if restored.kept else ""
        expired = f"; {restored.expired} have expired" if restored.expired else ""
        say(f"restored {in_words(restored.sessions, restored.bookmarks)}{kept}{expired}")
    else:
        say("sessions: left out, because no store is named; give --store")
