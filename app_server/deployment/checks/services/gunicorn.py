"""gunicorn's configuration, read by gunicorn, which loads the applications in it."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from app_server.deployment.checks import CheckFinding
from app_server.deployment.checks.programs import find, run
from app_server.deployment.plan.values import Instance, Plan
from app_server.deployment.render import Files
from app_server.deployment.render.services.gunicorn import render_instance
from app_server.version import how_to_install


def check(plan: Plan, files: Files) -> Iterator[CheckFinding]:
    """What gunicorn reports for each pool's first instance; the others differ only in address and route."""
    program = find("gunicorn")
    if program is None or importlib.util.find_spec("gunicorn") is None:
        hint = how_to_install("gunicorn")
        yield CheckFinding("note", "gunicorn is not installed here; its configuration was not read", hint=hint)
        return
    for pool in plan.pools:
        instance = pool.instances[0]
        path = f"gunicorn/{instance.name}.conf.py"
        with tempfile.TemporaryDirectory(prefix="app-server-check-") as name:
            folder = Path(name)
            text = files[path].text
            if not _are_here(plan, instance):
                what = "the applications are not on this machine; empty ones were used"
                yield CheckFinding("note", what, where=plan.paths.apps)
                text = render_instance(*_stand_ins(plan, instance, folder))
            written = folder / "gunicorn.conf.py"
            written.write_text(text, encoding="utf-8")
            # The variable's name is good enough as a secret here.
            secrets = {each.variable: "off" if each.name == "store" else "x" * 44 for each in plan.secrets}
            answer = run([program, "--check-config", "-c", written], secrets)
            if answer.status == 0:
                yield CheckFinding("good", "gunicorn reads it, and loads the applications", where=path)
            else:
                said = answer.lines[-1] if answer.lines else f"status {answer.status}"
                yield CheckFinding("fault", f"gunicorn refuses it: {said.rpartition('Error: ')[2][-400:]}", where=path)


def _are_here(plan: Plan, instance: Instance) -> bool:
    return all(os.path.exists(os.path.join(plan.paths.apps, _path(app))) for app in instance.apps)


def _path(app: str) -> str:
    """The path of an application, without a route before it."""
    route, equals, path = app.partition("=")
    return path if equals and route.startswith("/") else app


def _stand_ins(plan: Plan, instance: Instance, folder: Path) -> tuple[Plan, Instance]:
    """The same with empty applications, which are in this folder."""
    names = []
    for number, _ in enumerate(instance.apps):
        (folder / f"app{number}.py").write_text("", encoding="utf-8")
        names.append(f"app{number}.py")
    return replace(plan, paths=replace(plan.paths, apps=str(folder))), replace(instance, apps=tuple(names))
