"""Apache's site, tried by the Apache that is installed here: its own test, and a start.

Only the start proves it: a TLS group that OpenSSL does not know, or a balancer without its method, passes
`apache2 -t` and stops Apache when it starts.
"""

from __future__ import annotations

import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from app_server import system
from app_server.deployment.checks import CheckFinding
from app_server.deployment.checks.proxies.nginx import scratch_plan
from app_server.deployment.checks.scratch import running
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import Files
from app_server.deployment.render.proxies.apache import OLDEST, global_path, render, shown, site_path
from app_server.tls import Installed, installed_apache

ANSWER_S = 30.0
ALARMING = ("emerg", "alert", "crit", "error")

# What Apache needs besides the files of a site, all in one folder, without root's rights.
MAIN = """\
ServerRoot {folder}
ServerName localhost
PidFile apache.pid
DefaultRuntimeDir .
Mutex file:. default
ErrorLog error.log
{user}<IfModule !mpm_event_module>
    LoadModule mpm_event_module {modules}/mod_mpm_event.so
</IfModule>
<IfModule !unixd_module>
    LoadModule unixd_module {modules}/mod_unixd.so
</IfModule>
<Directory />
    AllowOverride None
    Require all denied
</Directory>
Include global.conf
<IfModule mime_module>
    TypesConfig /etc/mime.types
</IfModule>
Include site.conf
"""
MODULE_FOLDERS = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules")


def check(plan: Plan, files: Files) -> Iterator[CheckFinding]:
    """What Apache reports about the site."""
    installed = installed_apache()
    if installed is None:
        hint = "Install Apache, or check on the host that will run it."
        yield CheckFinding("note", "Apache is not installed here; the site was not tried", hint=hint)
        return
    if installed.version < OLDEST:
        what = f"Apache {shown(installed.version)} cannot forward WebSockets as the site requires"
        yield CheckFinding("fault", what, where="apache", hint=f"Take {shown(OLDEST)} or newer.")
        return
    with tempfile.TemporaryDirectory(prefix="app-server-check-") as name:
        folder = Path(name)
        scratch, findings = scratch_plan(plan, folder)
        yield from findings
        main = write_scratch(scratch, folder)
        yield from _tried(installed, scratch, folder, main)


def write_scratch(plan: Plan, folder: Path) -> Path:
    """The main file of an Apache that has this plan's site and nothing else."""
    files = render(replace(plan, layout="host"))
    (folder / "site.conf").write_text(files[site_path(plan)].text, encoding="utf-8")
    (folder / "global.conf").write_text(files[global_path(plan)].text, encoding="utf-8")
    modules = next((each for each in MODULE_FOLDERS if Path(each).is_dir()), MODULE_FOLDERS[0])
    main = folder / "apache.conf"
    main.write_text(MAIN.format(folder=folder, modules=modules, user=_user(folder)), encoding="utf-8")
    return main


def _user(folder: Path) -> str:
    """The user that serves if root starts it: one without rights that can reach the folder."""
    if not system.is_root():
        return ""
    import pwd

    folder.chmod(0o711)
    user = pwd.getpwnam("nobody")
    return f"User {user.pw_name}\nGroup #{user.pw_gid}\n"


def command(program: Path | str, folder: Path, main: Path) -> list[str]:
    """The command that runs Apache with this main file in the foreground."""
    return [str(program), "-d", str(folder), "-f", str(main), "-DFOREGROUND"]


def _tried(installed: Installed, scratch: Plan, folder: Path, main: Path) -> Iterator[CheckFinding]:
    words, name = command(installed.path, folder, main), f"Apache {shown(installed.version)}"
    tested = subprocess.run([*words, "-t"], capture_output=True, text=True, timeout=ANSWER_S, check=False)
    if tested.returncode != 0:
        yield CheckFinding(
            "fault", f"{name} refuses it: {_gist(tested.stdout + tested.stderr, folder)}", where="apache"
        )
        return
    with running(words, folder / "output", lambda: _answers(scratch.listen_http)) as complaint:
        log = folder / "error.log"
        said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        if complaint is not None:
            yield CheckFinding("fault", f"{name} does not start: {_gist(complaint + said, folder)}", where="apache")
            return
        for line in said.splitlines():
            if _is_alarming(line):
                yield CheckFinding("warning", f"{name}: {_gist(line, folder)}", where="apache")
        yield CheckFinding("good", f"{name} accepts the site, and started with it", where="apache")


def _answers(port: int) -> bool:
    """Whether the port answers: Apache listens before it knows whether it can start."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
            probe.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return bool(probe.recv(1))
    except OSError:
        return False


def _gist(said: str, folder: Path) -> str:
    """The most informative line, or two, without times and the folder's name."""
    lines = [
        re.sub(r"^(\[[^\]]*\] )*", "", line) for line in said.replace(f"{folder}/", "").splitlines() if line.strip()
    ]
    for number, line in enumerate(lines):
        if "Syntax error" in line:
            return " ".join(lines[number : number + 2])
    alarming = [line for line in said.replace(f"{folder}/", "").splitlines() if _is_alarming(line)]
    return re.sub(r"^(\[[^\]]*\] )*", "", alarming[0]) if alarming else (lines or ["it says nothing"])[-1]


def _is_alarming(line: str) -> bool:
    return re.search(rf":({'|'.join(ALARMING)})\]", line) is not None
