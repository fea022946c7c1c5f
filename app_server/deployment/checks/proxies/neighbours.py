"""nginx's site together with the other sites of this machine's nginx."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from app_server.deployment.checks import CheckFinding
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import Files
from app_server.tls import installed_nginx

HOME = "/etc/nginx"
_ANSWER_S = 30.0
_MAIN = "nginx.conf"
_WRITTEN = re.compile(r"^(\s*(?:pid|error_log|access_log))\s+/[^;\s]*", re.MULTILINE)


def check(plan: Plan, files: Files) -> Iterator[CheckFinding]:
    """What nginx refuses only because of its other sites here; nothing if this cannot be tried here.

    A copy of its configuration is tried, with this site where it would be installed, in place of an earlier site of
    the same deployment. What the copy refuses without our site is not reported.
    """
    installed = installed_nginx()
    site = next((file for path, file in files.items() if path.startswith("nginx/") and file.install), None)
    if installed is None or site is None or site.install is None or not os.path.exists(f"{HOME}/{_MAIN}"):
        return
    if os.path.commonpath([HOME, site.install]) != HOME:
        return
    with tempfile.TemporaryDirectory(prefix="app-server-check-") as name:
        folder = Path(name) / "nginx"
        _copy(Path(HOME), folder)
        place = folder / os.path.relpath(site.install, HOME)
        place.unlink(missing_ok=True)
        before = _refusals(installed.path, folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(site.text, encoding="utf-8")
        for refusal in _refusals(installed.path, folder):
            if refusal not in before and not re.search(r"No such file|Permission denied|cannot load", refusal):
                shown = refusal.replace(str(folder), HOME)
                yield CheckFinding(
                    "warning", f"this machine's nginx would refuse it together with its other sites: {shown}",
                    where="nginx", hint=_hint(refusal),
                )  # fmt: skip


def _copy(home: Path, folder: Path) -> None:
    """A copy in which absolute paths below the home, and those that nginx would write to, lead to the copy."""
    shutil.copytree(home, folder, ignore_dangling_symlinks=True)
    for path in folder.rglob("*"):
        if path.is_file():
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            text = text.replace(f"{home}/", f"{folder}/")
            path.write_text(_WRITTEN.sub(rf"\1 {folder}/written", text), encoding="utf-8")


def _refusals(program: Path | str, folder: Path) -> list[str]:
    """Why nginx refuses this configuration."""
    words = [str(program), "-t", "-q", "-c", str(folder / _MAIN), "-e", str(folder / "error.log")]
    if not re.search(r"^\s*pid\s", (folder / _MAIN).read_text(encoding="utf-8", errors="replace"), re.MULTILINE):
        words += ["-g", f"pid {folder}/written;"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=_ANSWER_S, check=False)
    found = re.findall(r"\[(?:emerg|alert|crit)\] (?:\d+#\d+: )?(.*)", done.stderr + done.stdout)
    return [str(line) for line in found]


def _hint(refusal: str) -> str:
    if "duplicate default server" in refusal:
        return "Remove that site if it is nginx's default one, or set proxy.catch_all: no."
    return "Change one of the two."
