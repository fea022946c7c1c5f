"""Which nginx, Apache and OpenSSL are installed here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app_server.tls.policy import Library, Version, parse_version

# Where distributions put servers; an ordinary user's PATH often leaves these out.
SERVER_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/local/nginx/sbin", "/sbin")
APACHE_NAMES = ("apache2", "httpd")
# The certificates that this machine's programs trust, where Debian and Red Hat keep them.
SYSTEM_ROOTS = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class Installed:
    """A proxy that is installed: its program, its version, and the TLS library that it runs with."""

    path: Path
    version: Version
    library: Library


def installed_nginx() -> Installed | None:
    """This machine's nginx, or None."""
    path = find("nginx")
    if path is None:
        return None
    said = _say([str(path), "-V"])
    return Installed(path, parse_version(said), nginx_library(said))


def installed_apache() -> Installed | None:
    """This machine's Apache, or None."""
    path = find(*APACHE_NAMES)
    if path is None:
        return None
    # Apache does not say which library mod_ssl uses; on distributions it is that of the command `openssl`.
    openssl = find("openssl")
    library = Library() if openssl is None else openssl_library(_say([str(openssl), "version"]))
    return Installed(path, parse_version(_say([str(path), "-v"])), library)


def system_roots() -> Path | None:
    """The file with the authorities that this machine trusts, None if it is not found."""
    return next((Path(path) for path in SYSTEM_ROOTS if Path(path).is_file()), None)


def find(*names: str) -> Path | None:
    """The first of these programs on PATH or where servers are put."""
    folders = os.pathsep.join([os.environ.get("PATH", os.defpath), *SERVER_FOLDERS])
    for name in names:
        if found := shutil.which(name, path=folders):
            return Path(found)
    return None


def nginx_library(said: str) -> Library:
    """The library that `nginx -V` names: the one that it runs with, which may be another than it was built with."""
    found = re.search(r"running with (\S+) ([\d.]+)", said) or re.search(r"built with (\S+) ([\d.]+)", said)
    return Library() if found is None else Library(found[1], parse_version(found[2]))


def openssl_library(said: str) -> Library:
    """The library that `openssl version` names."""
    found = re.search(r"Library: (\S+) ([\d.]+)", said) or re.match(r"(\S+) ([\d.]+)", said)
    return Library() if found is None else Library(found[1], parse_version(found[2]))


def _say(command: Sequence[str]) -> str:
    """What a program prints about itself, on either stream."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S, check=False)
    return done.stdout + done.stderr
