"""What `app-server backup` and `restore` are about: a store and files of this machine, or a deployment's."""

from __future__ import annotations

import argparse
import errno
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from app_server import system
from app_server.cli.command import Flag, flags_of
from app_server.cli.deployments.flags import DEFAULT_FILE, DEPLOYMENT, ENVIRONMENT, FILE, dashed, file_of
from app_server.cli.deployments.loading import need_deployment_packages, plan_of, read
from app_server.errors import OperatorError
from app_server.settings import Arity, Settings, added, all_settings, naming_env_file, resolve_some, with_files
from app_server.store.backup.archive import is_role

if TYPE_CHECKING:
    from app_server.deployment.backup.carriers import Carrier
    from app_server.store.base import Store

STDIO = "-"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
TARGETS = {
    "compose": "containers on this machine",
    "ansible": "one of the hosts, by ssh",
    "host": "services on this machine",
}
_SETTINGS = ("use_config", "env_file", "store", "store_ttl_s")
_OF_A_DEPLOYMENT = ("environment", "target", "host", "releases")

FLAGS = (
    FILE,
    ENVIRONMENT,
    Flag(names=("--target",), metavar="TARGET", help="where it runs", choices=TARGETS, group=DEPLOYMENT,
         default="where it was last rolled out to, else host"),
    Flag(names=("--host",), metavar="NAME", help="which host, if each has its own sessions", group=DEPLOYMENT),
    Flag(names=("--releases",), metavar="DIR", help="where its releases are kept", group=DEPLOYMENT,
         default="deployed/NAME, next to FILE"),
    Flag(names=("--also",), metavar="[NAME=]PATH", arity=Arity.REPEATED, group="What else",
         help="a further file, such as one with passwords; NAME is what the backup calls it"),
    *flags_of(setting for setting in all_settings() if setting.name in _SETTINGS),
)  # fmt: skip
"""The flags that say what is backed up and restored."""


@dataclass(frozen=True)
class Subject:
    """What is backed up or restored, as far as this process reaches it; `carrier` reaches the rest.

    `files` are by their roles. `settings` name the store on this machine, None for none.
    """

    name: str = ""
    settings: Settings | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    carrier: Carrier | None = None
    carries_files: bool = False
    """whether the carrier's backup has the files, too"""
    left_out: Sequence[str] = ()


def subject_of(namespace: argparse.Namespace, environ: Mapping[str, str], verb: str, flags: Sequence[str]) -> Subject:
    """What the command line names; `verb` and `flags` are those of the command that a carrier runs. OperatorError."""
    hint = "Run it on Linux or macOS, or in Windows' Subsystem for Linux."
    present = system.has_private_folders() and system.has_file_modes()
    system.require(present, "owners and modes of files", where=f"app-server {verb}", hint=hint)
    files = _also(getattr(namespace, "also", []))
    if "file" not in namespace and ("store" in namespace or not file_of(None).exists()):
        for name in _OF_A_DEPLOYMENT:
            if name in namespace:
                hint = f"Name the file of the deployment: -f {DEFAULT_FILE}"
                raise OperatorError("has no meaning without a deployment", where=dashed(name), hint=hint)
        return _of_this_machine(namespace, environ, files)
    if "store" in namespace:
        hint = "Leave one of them out: the deployment says where its sessions are."
        raise OperatorError("has no meaning with --file", where="--store", hint=hint)
    return _of_deployment(namespace, environ, files, verb, flags)


def _also(words: Sequence[str]) -> dict[str, Path]:
    """The further files by their roles. OperatorError for two with one name, and for one that no terminal shows."""
    files: dict[str, Path] = {}
    for role, path in map(_named, words):
        if not is_role(role):
            hint = "Give it another one: --also NAME=PATH"
            raise OperatorError(f"{role[-60:]!r} cannot be a name in a backup", where="--also", hint=hint)
        if files.setdefault(role, path) != path:
            hint = f"Give each a name of its own: --also NAME={path}"
            raise OperatorError(f"two files are called {role}", where="--also", hint=hint)
    return files


def _named(word: str) -> tuple[str, Path]:
    """The role and the path of a further file."""
    name, equals, path = word.partition("=")
    if equals and name and "/" not in name:
        return name, Path(path)
    return f"file:{os.path.abspath(word)}", Path(word)


def _of_this_machine(
    namespace: argparse.Namespace, environ: Mapping[str, str], files: Mapping[str, Path]
) -> Subject:
    flags, variables = with_files({name: getattr(namespace, name) for name in _SETTINGS if name in namespace}, environ)
    with naming_env_file(flags, variables, environ):
        settings = resolve_some(_SETTINGS, flags, added(variables, environ))
    if settings.store == "off" and not files:
        hint = f"Name the server's store with --store, or a deployment with -f {DEFAULT_FILE}."
        raise OperatorError("neither a store nor a deployment is named", hint=hint)
    return Subject(settings=None if settings.store == "off" else settings, files=files)


def _of_deployment(
    namespace: argparse.Namespace, environ: Mapping[str, str], also: Mapping[str, Path], verb: str, flags: Sequence[str]
) -> Subject:
    need_deployment_packages()
    from app_server.cli.daily.target import target_of
    from app_server.cli.deployments.stores import store_of
    from app_server.deployment.backup import carriers, places
    from app_server.deployment.daily.ssh import password_of

    loaded = read(namespace)
    folder = Path(loaded.file).absolute().parent
    store = store_of(argparse.Namespace(), folder, loaded.spec.name)
    if "releases" in namespace:
        store = replace(store, folder=Path(namespace.releases[0]))
    target = namespace.target[0] if "target" in namespace else target_of(store) or "host"
    if target == "swarm":
        hint = "`app-server deploy exec` runs `app-server backup - --store ...` in an instance."
        raise OperatorError("a swarm's secrets cannot be read, and its sessions only from its nodes", hint=hint)
    if "host" in namespace and target != "ansible":
        raise OperatorError(f"has no meaning with {target}", where="--host", hint="Leave it out.")
    plan = plan_of(loaded, "compose" if target == "compose" else "host", ("app-server", "config"))
    files = {**places.files_of(plan, folder), **also}
    subject = Subject(plan.name, None, files, left_out=tuple(places.left_out(plan)))
    if target == "ansible":
        machine = carriers.machine_of(plan, namespace.host[0] if "host" in namespace else None)
        carrier = carriers.on_host(plan, machine, verb, files, flags, password_of(environ))
        return replace(subject, carrier=carrier, carries_files=True)
    if plan.store.kind == "off":
        return subject
    if target == "compose":
        return replace(subject, carrier=carriers.in_container(plan, store, folder, verb))
    words = places.store_words(plan)
    return replace(subject, settings=resolve_some(_SETTINGS, _flags(words), places.store_variables(plan)))


def _flags(words: Sequence[str]) -> dict[str, Sequence[str]]:
    named = {"--store": "store", "--store-ttl": "store_ttl_s"}
    return {named[flag]: [word] for flag, word in zip(words[::2], words[1::2], strict=True)}


@contextmanager
def opened_store(settings: Settings, *, to_restore: bool) -> Iterator[Store]:
    """The store of this machine, as the user whose folder it is. OperatorError if it cannot be used."""
    from app_server.store.backup.owner import as_owner_of
    from app_server.store.backup.sessions import NO_LIMIT
    from app_server.store.location import open_store

    folder = None if "://" in settings.store else os.path.abspath(os.path.expanduser(settings.store))
    if folder is not None and not os.path.isdir(folder) and (system.is_root() or not to_restore):
        hint = "Start the server once, or create the folder for its user." if to_restore else "Name the server's."
        raise OperatorError(f"{folder} does not exist", where="--store", hint=hint)
    with nullcontext() if folder is None else as_owner_of(folder):
        store = open_store(settings.store, ttl_s=settings.store_ttl_s, max_bytes=NO_LIMIT)
        assert store is not None
        try:
            store.check()
            yield store
        finally:
            store.close()


@contextmanager
def scratch_file() -> Iterator[BinaryIO]:
    """A private file for a backup on its way, which the end of the block removes."""
    try:
        with tempfile.TemporaryFile() as file:
            yield cast("BinaryIO", file)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        hint = "Set TMPDIR to a folder with more space."
        raise OperatorError(f"cannot be written: {error.strerror}", where=tempfile.gettempdir(), hint=hint) from None


def in_words(sessions: int, bookmarks: int) -> str:
    """So many sessions and bookmarks."""
    return f"{sessions} session{'' if sessions == 1 else 's'}, {bookmarks} bookmark{'' if bookmarks == 1 else 's'}"
