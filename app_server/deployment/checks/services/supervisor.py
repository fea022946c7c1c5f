"""supervisor's programs, read by supervisord, which is started with them but starts none of them."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from app_server.deployment.checks import CheckFinding
from app_server.deployment.checks.programs import find, run
from app_server.deployment.checks.scratch import running
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import Files
from app_server.deployment.render.services.supervisor import program_of, render

MAIN = """\
[supervisord]
nodaemon=true
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}

[unix_http_server]
file={folder}/socket
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{folder}/socket

[include]
files={folder}/programs/*.conf
"""


def check(plan: Plan, files: Files) -> Iterator[CheckFinding]:
    """What supervisord reports about each machine's programs, started with other logs and another user."""
    supervisord, supervisorctl = find("supervisord"), find("supervisorctl")
    if supervisord is None or supervisorctl is None:
        hint = "Install supervisor, or check on a host that runs it."
        yield CheckFinding("note", "supervisor is not installed here; its programs were not read", hint=hint)
        return
    for machine in [machine for machine in plan.machines if machine.instances]:
        with tempfile.TemporaryDirectory(prefix="app-server-check-") as name:
            alone = replace(plan, machines=(machine,), paths=replace(plan.paths, log=name))
            expected = {program_of(plan, instance) for instance in machine.instances}
            yield from _started(supervisord, supervisorctl, alone, Path(name), expected)


def _started(program: str, control: str, plan: Plan, folder: Path, expected: set[str]) -> Iterator[CheckFinding]:
    where = "supervisor"
    main = write_scratch(plan, folder)
    variables = {secret.environment: "x" for secret in plan.secrets if secret.environment is not None}
    words = [program, "-c", str(main)]
    # env, not our own environment: supervisord fails for variables that it does not have.
    words = ["env", *(f"{name}={value}" for name, value in variables.items()), *words] if variables else words
    with running(words, folder / "output", (folder / "socket").exists) as complaint:
        if complaint is not None:
            said = " ".join(complaint.replace(f"{folder}/", "").split())
            yield CheckFinding("fault", f"supervisord does not start: {said[-300:]}", where=where)
            return
        answer = run([control, "-c", str(main), "avail"])
        # Each line: the name, whether it is in use, whether it starts by itself, its priorities.
        found = {line.split()[0] for line in answer.lines}
        if found != expected:
            shown = " ".join(answer.lines)[-300:]
            yield CheckFinding("fault", f"supervisord reads other programs than expected: {shown}", where=where)
        else:
            yield CheckFinding("good", f"supervisord started with the {len(found)} programs", where=where)


def write_scratch(plan: Plan, folder: Path) -> Path:
    """A main file with the programs, none of which starts by itself or needs a user that is not here."""
    (folder / "programs").mkdir()
    (text,) = (file.text for path, file in render(plan).items() if path == f"supervisor/{plan.name}.conf")
    text = re.sub(r"^user=.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^(minfds)=.*\n", r"\1=64\n", text, flags=re.MULTILINE)
    text = text.replace("autorestart=true\n", "autostart=false\n")
    (folder / "programs" / "programs.conf").write_text(text, encoding="utf-8")
    main = folder / "supervisord.conf"
    main.write_text(MAIN.format(folder=folder), encoding="utf-8")
    return main
