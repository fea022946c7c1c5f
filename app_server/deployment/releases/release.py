"""A release: all that hosts need of a deployment, in archives whose ids say what is in them.

    release.json       what it is: the deployment's name, and the ids of its content and of its packages
    release.tar.gz     files/ (what `app-server config all --output` writes), apps/ (the applications), release.json
    packages.tar.gz    the requirements, and wheels where hosts have no index; in apps/ the applications' own

Releases of the same content have the same bytes and the same id, so installing one twice changes nothing; and
releases with the same packages share one environment of Python.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app_server.deployment.images.contents import of_plan
from app_server.deployment.output_tree import manifest_text
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import Files
from app_server.errors import OperatorError
from app_server.files import write_atomically

ARCHIVE = "release.tar.gz"
PACKAGES = "packages.tar.gz"
DESCRIPTION = "release.json"
FORMAT = 1
OWN = "apps"
"""The folder of the packages' archive with what the applications require."""
ID_LENGTH = 12


def is_id(word: str) -> bool:
    """Whether a word looks like the id of a release."""
    return len(word) == ID_LENGTH and set(word) <= set("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the archive."""

    path: str
    content: bytes
    executable: bool = False


@dataclass(frozen=True)
class Release:
    """What a release is, and the files of its two archives."""

    about: Mapping[str, Any]
    members: Sequence[Member]
    packages: Sequence[Member]


def gather(plan: Plan, files: Files, folder: Path, *, include: Sequence[str], packages: Sequence[Path]) -> Release:
    """The release of a deployment whose applications are in `folder`.

    `include` are patterns of further files there, `packages` the requirements and wheels. OperatorError for what is
    missing.
    """
    members = [Member(f"files/{path}", file.text.encode()) for path, file in sorted(files.items())]
    members.append(Member("files/manifest.json", manifest_text(plan, files).encode()))
    contents = of_plan(plan, folder, include)
    members += [Member(f"apps/{path.as_posix()}", *_read(contents.folder / path)) for path in contents.files]
    if not packages:
        hint = "Collect it with `app-server wheelhouse DIR`, and give --packages DIR."
        raise OperatorError("it is not known what the hosts install", where="--packages", hint=hint)
    wheels = list(_named(sorted(_packages(packages))))
    about = describe(plan)
    if (needs := contents.requirements) is not None:
        wheels += [Member(f"{OWN}/{path.as_posix()}", *_read(needs.folder / path)) for path in needs.everything]
        about["requirements"] = [f"{OWN}/{path.as_posix()}" for path in needs.files]
    about["environment"] = _fingerprint(wheels)
    about["id"] = _fingerprint([*members, Member(DESCRIPTION, _json(about))])
    return Release(about, [Member(DESCRIPTION, _json(about)), *members], wheels)


def describe(plan: Plan) -> dict[str, Any]:
    """What identifies the release; the inventory has where things belong (`app-server config inventory`)."""
    return {
        "format": FORMAT,
        "name": plan.name,
        "secrets": [secret.variable for secret in plan.secrets if not secret.is_of_applications],
        "variables": dict(plan.spec.service.environment),
    }


def write(folder: Path, release: Release) -> bool:
    """Put the archives and the description into the folder; whether that changed anything. OperatorError."""
    contents = {
        PACKAGES: _packed(release.packages),
        ARCHIVE: _packed(release.members),
        DESCRIPTION: _json(release.about),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        changed = {name: content for name, content in contents.items() if _differs(folder / name, content)}
        for name, content in changed.items():
            write_atomically(folder / name, content, mode=0o644)
    except OSError as error:
        raise OperatorError(f"cannot be written: {error.strerror}", where=str(folder)) from None
    return bool(changed)


def _differs(path: Path, content: bytes) -> bool:
    return not path.exists() or path.read_bytes() != content


def _packed(members: Sequence[Member]) -> bytes:
    """The archive's bytes, the same for the same members: nothing of this machine and this moment is in them."""
    output = io.BytesIO()
    with gzip.GzipFile(fileobj=output, mode="wb", mtime=0, compresslevel=6) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for member in sorted(members, key=lambda member: member.path):
                entry = tarfile.TarInfo(member.path)
                entry.size = len(member.content)
                entry.mode = 0o755 if member.executable else 0o644
                archive.addfile(entry, io.BytesIO(member.content))
    return output.getvalue()


def _named(paths: Iterable[Path]) -> Iterator[Member]:
    """The packages by unique names. OperatorError for two wheels of the same name."""
    taken: dict[str, Member] = {}
    for path in paths:
        member = Member(path.name, *_read(path))
        for number in itertools.count(2):
            other = taken.get(member.path)
            if other is None or other.content == member.content:
                break
            if path.suffix == ".whl":
                hint = "Give only one of them."
                raise OperatorError(f"there are two different files {path.name}", where="--packages", hint=hint)
            # Two requirements files are two: each has its own content.
            member = replace(member, path=f"{path.stem}-{number}{path.suffix}")
        taken[member.path] = member
    yield from taken.values()


def _packages(given: Sequence[Path]) -> Iterator[Path]:
    for path in given:
        if path.is_dir():
            yield from (found for found in path.iterdir() if found.suffix in (".whl", ".txt", ".gz"))
        elif path.is_file():
            yield path
        else:
            raise OperatorError(f"{path} does not exist", where="--packages")


def _read(path: Path) -> tuple[bytes, bool]:
    try:
        return path.read_bytes(), os.access(path, os.X_OK)
    except OSError as error:
        raise OperatorError(f"cannot be read: {error.strerror}", where=str(path)) from None


def _fingerprint(members: Sequence[Member]) -> str:
    whole = hashlib.sha256()
    for member in members:
        whole.update(f"{member.path}\0{member.executable}\0{len(member.content)}\0".encode())
        whole.update(member.content)
    return whole.hexdigest()[:ID_LENGTH]


def _json(about: Mapping[str, Any]) -> bytes:
    return (json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode()


def write_certificates(plan: Plan, folder: Path) -> None:
    """Make the certificate of `tls: development` beside a release, unless there is one that is still good.

    Hosts get it with the release: the machine that installs a release need not have app-server.
    """
    if plan.tls is not None and plan.tls.mode == "development":
        from app_server.tls.development import development_certificate

        development_certificate(plan.site.hosts, folder.resolve().parent / "certificates")
