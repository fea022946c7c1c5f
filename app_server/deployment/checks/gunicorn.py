"""gunicorn's configuration, read by gunicorn, which loads the application that it names."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from app_server.deployment.checks import Finding
from app_server.deployment.checks.programs import find, of_target, run, write
from app_server.deployment.plan import Plan
from app_server.deployment.render import Files


def check(plan: Plan, files: Files) -> Iterator[Finding]:
    """What gunicorn says of each pool's first instance; the others differ in address and route alone."""
    program = find("gunicorn")
    if program is None or importlib.util.find_spec("app_server.gunicorn") is None:
        hint = "Install it with: pip install 'app-server[gunicorn]'"
        yield Finding("note", "there is no gunicorn here, so its configuration was not read", hint=hint)
        return
    first = {f"gunicorn/{pool.instances[0].name}.conf.py" for pool in plan.pools}
    for path, file in of_target(files, "gunicorn", ".conf.py"):
        if path not in first:
            ast.parse(file.text)
            continue
        with tempfile.TemporaryDirectory(prefix="app-server-check-") as name:
            (written,) = write(Path(name), [(path, file)])
            yield from _read(program, written, path, plan)


def _read(program: str, written: Path, path: str, plan: Plan) -> Iterator[Finding]:
    if not os.path.isdir(plan.paths.apps):
        yield Finding("note", "is not on this machine, so the applications were not looked for", where=plan.paths.apps)
        text = written.read_text(encoding="utf-8")
        written.write_text(re.sub(r"^chdir = .*\n", "", text, flags=re.MULTILINE), encoding="utf-8")
    # What is to be kept secret stands in for itself.
    variables = {secret.variable: "x" * 44 for secret in plan.secrets}
    answer = run([program, "--check-config", "-c", written], variables)
    if answer.status != 0:
        said = " ".join(answer.lines[-3:])
        yield Finding("fault", f"gunicorn refuses it: {said[-400:]}", where=path)
    else:
        yield Finding("good", "gunicorn reads it, and loads the application", where=path)
