"""`app-server backup`: saved sessions, bookmarks, secrets and certificates in one file."""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from app_server.cli.command import Command, Word, switch
from app_server.cli.deployments.backups import (
    FLAGS,
    STDIO,
    Subject,
    in_words,
    opened_store,
    scratch_file,
    subject_of,
)
from app_server.cli.terminal import close_stdout, note
from app_server.errors import OperatorError
from app_server.files import give_name
from app_server.store.backup.archive import BackupWriter, Description, Member, check, members
from app_server.store.backup.files import read_file
from app_server.store.backup.sessions import saved_members

COMMAND = Command(
    forms=("FILE [-f FILE] [-e NAME] [--target TARGET]", "FILE --store WHERE [--also [NAME=]PATH ...]"),
    text="Write the saved sessions and bookmarks of a deployment, or of a server, with their secrets and certificates, "
    "into one file that only you can read, while they are in use. `-` writes to stdout, to encrypt it for example. "
    "`app-server restore` brings it back, also on another machine or into another kind of store.",
    examples=("app-server backup tools.backup", "app-server backup - | age -p > tools.backup.age",
              "app-server backup x.backup --store x/sessions --also /etc/x/secret_key"),
    words=(Word(name="output", metavar="FILE", help="where to write it, `-` for stdout"),),
    flags=(*FLAGS, switch("--force", "replace FILE if it exists")),
)  # fmt: skip


_ELSEWHERE = "Name a file, or pipe it into a program."


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What makes the backup."""
    if not namespace.output:
        raise OperatorError("is required", where="FILE", hint="For example: app-server backup tools.backup")
    path = None if namespace.output == STDIO else Path(namespace.output)
    if path is None and sys.stdout.isatty():
        raise OperatorError("is a terminal", where="-", hint=_ELSEWHERE)
    if path is None and getattr(sys.stdout, "name", "") == os.devnull:  # which `main` puts in the place of none
        raise OperatorError("stdout is closed", where="-", hint=_ELSEWHERE)
    if path is not None and os.path.lexists(path) and "force" not in namespace:
        raise OperatorError("exists", where=str(path), hint="Choose another name, or give --force.")
    return partial(run, subject_of(namespace, environ, "backup", []), path, overwrite="force" in namespace)


def run(subject: Subject, path: Path | None, *, overwrite: bool = False) -> int:
    """Make the backup, and say what is in it; 0."""
    if path is None:
        with scratch_file() as draft:
            about = write(subject, draft)
            _print(draft)
    else:
        with _named_at_the_end(path, overwrite=overwrite) as draft:
            about = write(subject, draft)
    files = f", {', '.join(about.files)}" if about.files else ""
    note(f"{path or 'stdout'}: {in_words(about.amounts['session'], about.amounts['bookmark'])}{files}")
    for line in subject.left_out:
        note(f"note: {line}")
    return 0


def _print(draft: BinaryIO) -> None:
    try:
        shutil.copyfileobj(draft, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except OSError as error:
        close_stdout()
        raise OperatorError(f"cannot be written: {error.strerror}", where="stdout") from None


def write(subject: Subject, draft: BinaryIO) -> Description:
    """Write the backup into a file, and say what is in it; the file is at its beginning again. OperatorError."""
    if subject.carrier is not None and subject.carries_files:
        subject.carrier.fetch(draft)
        draft.seek(0)
        return check(draft, subject.carrier.where)
    # Files first: one that cannot be read ends it before a store is copied.
    files = [read_file(role, file) for role, file in subject.files.items()]
    writer = BackupWriter(draft, subject.name, time.strftime("%Y-%m-%dT%H:%M:%S%z"))
    for member in itertools.chain(files, _sessions(subject)):
        writer.add(member)
    writer.finish()
    draft.seek(0)
    return check(draft, "the backup")


def _sessions(subject: Subject) -> Iterator[Member]:
    """The sessions and bookmarks, wherever they are."""
    if subject.carrier is not None:
        with scratch_file() as fetched:
            subject.carrier.fetch(fetched)
            fetched.seek(0)
            check(fetched, subject.carrier.where)
            yield from (each for each in members(fetched, subject.carrier.where) if each.kind != "file")
    elif subject.settings is not None:
        with opened_store(subject.settings, to_restore=False) as store:
            yield from saved_members(store, time.time())


@contextmanager
def _named_at_the_end(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """A private file that gets its name when it is complete. OperatorError if it cannot be written."""
    try:
        number, draft = tempfile.mkstemp(prefix=".app-server-backup-", dir=path.absolute().parent)
    except OSError as error:
        raise OperatorError(f"cannot be written: {error.strerror}", where=str(path)) from None
    try:
        with os.fdopen(number, "w+b") as file:
            yield file
            os.fsync(number)
        give_name(draft, path, overwrite=overwrite)
    except FileExistsError:
        raise OperatorError("exists", where=str(path), hint="Choose another name, or give --force.") from None
    except OSError as error:
        raise OperatorError(f"cannot be written: {error.strerror}", where=str(path)) from None
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft)
