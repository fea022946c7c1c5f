"""Which files no release holds: a list of ours, and what a `.dockerignore` says.

Patterns are those of `.dockerignore`: they begin at the folder's top, `*` and `?` stop at a slash, `**` does not, `!`
takes back what a pattern before has excluded, and what is below an excluded folder is excluded too.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

IGNORE_FILE = ".dockerignore"
# What tools leave behind. A `!` line brings back what an application needs of it.
USUAL = ("**/.*", "**/__pycache__", "**/*.pyc", "**/*.pyo", "**/*~", "**/node_modules", "**/*.egg-info")
# No `!` line brings these back: versions, secrets of other programs, and keys.
NEVER = ("**/.git", "**/.hg", "**/.svn", "**/.env", "**/.env.*", "**/.netrc", "**/.pypirc", "**/.ssh", "**/.aws",
         "**/.docker", "**/.kube", "**/id_rsa", "**/id_ecdsa", "**/id_ed25519")  # fmt: skip
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_HOOKS = ("before-deploy", "after-deploy", "deploy-failed")
_SLASHES = re.compile(r"/+")


@dataclass(frozen=True)
class Ignoring:
    """What is left out below a folder."""

    rules: Sequence[tuple[bool, re.Pattern[str]]]
    """whether a rule excludes, and what it matches; the last one that matches applies"""
    never: Sequence[tuple[bool, re.Pattern[str]]] = ()
    """the same, after all others"""
    secrets: frozenset[Path] = field(default=frozenset())
    """files that are left out, by their resolved paths"""

    @property
    def takes_back(self) -> bool:
        """Whether a file below an excluded folder may be in."""
        return any(not excludes for excludes, _ in self.rules)

    def excludes(self, path: str) -> bool:
        """Whether a path relative to the folder is left out, by its name and those of the folders above it."""
        return _decided(self.never, path) or _decided(self.rules, path)

    def excludes_surely(self, path: str) -> bool:
        """Whether nothing below this folder can be in."""
        return _decided(self.never, path) or not self.takes_back and _decided(self.rules, path)


def ignoring(folder: Path, never: Iterable[str] = (), secrets: Iterable[str] = ()) -> Ignoring:
    """What is left out below this folder; `never` are further patterns, `secrets` further files by their paths."""
    try:
        lines = (folder / IGNORE_FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    hidden = frozenset(Path(secret).resolve() for secret in secrets)
    return Ignoring(tuple(_rules([*USUAL, *lines])), tuple(_rules([*NEVER, *never])), hidden)


def is_product(folder: Path) -> bool:
    """Whether a folder is made by tools: an environment of Python, or what this program has written."""
    if (folder / "pyvenv.cfg").is_file() or any((folder / name).is_file() for name in _HOOKS):
        return True
    if (folder / "lock").is_file() and ((folder / "releases").is_dir() or (folder / "release").is_dir()):
        return True
    try:
        with (folder / "manifest.json").open(encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("written by") == "app-server"


def is_secret_or_product(file: Path) -> bool:
    """Whether a file holds a private key, or is an archive that `app-server bundle` has written."""
    try:
        if file.name.endswith(".tar.gz"):
            return _is_bundle(file)
        with file.open("rb") as opened:
            return _PRIVATE_KEY.search(opened.read(4096)) is not None
    except OSError:
        return False


def _is_bundle(file: Path) -> bool:
    try:
        with tarfile.open(file) as archive:
            first, second = archive.next(), archive.next()
    except (tarfile.TarError, EOFError):
        return False
    return first is not None and second is not None and second.name == f"{first.name}/compose.yaml"


def _rules(lines: Iterable[str]) -> Iterator[tuple[bool, re.Pattern[str]]]:
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        excludes = not text.startswith("!")
        pattern = _SLASHES.sub("/", text.removeprefix("!").strip()).removeprefix("./").strip("/")
        if pattern and pattern != ".":
            yield excludes, re.compile(_expression(pattern))


def _expression(pattern: str) -> str:
    """A regular expression that matches what a pattern does, and all below it."""
    parts = re.findall(r"\*\*/|\*\*|\*|\?|\[\^?[^]]+\]|\\.|.", pattern)
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    text = "".join(
        known[part] if part in known
        else part if part.startswith("[") and len(part) > 1
        else re.escape(part.removeprefix("\\") if len(part) > 1 else part)
        for part in parts
    )  # fmt: skip
    return rf"(?s:{text}(?:/.*)?)\Z"


def _decided(rules: Sequence[tuple[bool, re.Pattern[str]]], path: str) -> bool:
    verdict = False
    for excludes, pattern in rules:
        if excludes != verdict and pattern.match(path):
            verdict = excludes
    return verdict
