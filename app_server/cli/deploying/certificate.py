"""`app-server certificate NAME ...`: make a certificate for development, or check an existing one."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from app_server.cli.command import Command, Flag, Word, choices
from app_server.cli.deployments.loading import need_packages
from app_server.cli.terminal import say
from app_server.errors import OperatorError

PROFILES = ("intermediate", "modern")


COMMAND = Command(
    forms=("NAME ... [--folder DIR]", "NAME ... --check FILE [--key FILE] [flags]"),
    text="Make a certificate for development, or say what is wrong with one.",
    examples=("app-server certificate localhost", "app-server certificate www.example.com --check site.pem"),
    words=(Word(name="files", metavar="NAME", help="a host's name or address", many=True),),
    flags=(
        Flag(names=("--folder",), metavar="DIR", help="where the development authority and its certificates are kept",
             default="~/.local/state/app-server/certificates"),
        Flag(names=("--check",), metavar="FILE", help="check this certificate for these names"),
        Flag(names=("--key",), metavar="FILE", help="its private key, to check as well"),
        Flag(names=("--roots",), metavar="FILE", help="the authorities that browsers trust",
             default="those of this machine"),
        Flag(names=("--profile",), metavar="NAME", help="a profile of Mozilla's guideline",
             choices=choices(*PROFILES), default=PROFILES[0]),
    ),
)  # fmt: skip


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What makes or checks a certificate, after all words have been checked."""
    need_packages("cryptography", "trustme", where="certificate")
    from app_server.tls.development import state_folder

    checked = Path(namespace.check[0]) if "check" in namespace else None
    for flag in ("key", "roots", "profile"):
        if flag in namespace and checked is None:
            raise OperatorError("has no meaning without --check", where=f"--{flag}", hint="Give --check too.")
    if checked is None:
        folder = Path(namespace.folder[0]) if "folder" in namespace else state_folder(environ)
        if not namespace.files:
            hint = "For this machine: app-server certificate localhost 127.0.0.1 ::1"
            raise OperatorError("name the hosts that the certificate is for", where="certificate", hint=hint)
        return partial(make, namespace.files, folder)
    if "folder" in namespace:
        raise OperatorError("has no meaning with --check", where="--folder", hint="Leave one of them out.")
    profile = namespace.profile[0] if "profile" in namespace else PROFILES[0]
    key = Path(namespace.key[0]) if "key" in namespace else None
    return partial(check, namespace.files, checked, key, _roots(namespace), profile)


def make(names: Sequence[str], folder: Path) -> int:
    """Make a certificate unless a valid one exists, and print its path; 0."""
    from app_server.tls.development import development_certificate

    pair = development_certificate(names, folder.absolute())
    say(
        f"{'made       ' if pair.made else 'was there  '} {', '.join(names)}\n"
        f"certificate {pair.certificate}\n"
        f"key         {pair.key}\n"
        f"authority   {pair.authority}  (let your browser trust this one, once)"
    )
    return 0


def check(names: Sequence[str], certificate: Path, key: Path | None, roots: Path | None, profile: str) -> int:
    """Print what is wrong with a certificate; 1 if browsers would reject it."""
    from app_server.tls.certificates import Material, inspect

    material = Material(
        chain_pem=_read(certificate),
        key_pem=None if key is None else _read(key),
        key_mode=None if key is None else key.stat().st_mode,
        roots_pem=b"" if roots is None else _read(roots),
    )
    findings = inspect(material, names, datetime.now(UTC), profile)
    for finding in findings:
        say(f"{certificate}: {finding}")
    if not findings:
        say(f"{certificate}: nothing is wrong")
    return 1 if any(finding.level == "error" for finding in findings) else 0


def _roots(namespace: argparse.Namespace) -> Path | None:
    if "roots" in namespace:
        return Path(namespace.roots[0])
    from app_server.tls.installed import system_roots

    return system_roots()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OperatorError(f"cannot be read: {error.strerror}", where=str(path)) from None
