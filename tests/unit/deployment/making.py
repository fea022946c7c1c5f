"""Deployments for tests, from the text of a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from textwrap import dedent

from app_server.deployment.load import Loaded, load
from app_server.deployment.plan import Plan, resolve
from app_server.errors import OperatorErrors

MINIMAL = """\
apps:
  myapp: myapp.py
public: tools.example.org
"""


def loaded(folder: Path, text: str = MINIMAL, environment: str | None = None) -> Loaded:
    """What a deploy.yaml with this text says."""
    path = folder / "deploy.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return load(path, environment)


def with_applications(plan: Plan, folder: Path) -> Plan:
    """The same plan of a deployment in this folder, which holds an empty file for each application."""
    for app in plan.spec.apps.values():
        path = folder / app.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return replace(plan, source=str(folder / "deploy.yaml"))


def planned(folder: Path, text: str = MINIMAL, environment: str | None = None) -> Plan:
    """The same, worked out."""
    return resolve(loaded(folder, text, environment), regenerate=("app-server", "config"))


def faults(folder: Path, text: str, environment: str | None = None) -> list[str]:
    """What is wrong with it, without the folder's name."""
    try:
        planned(folder, text, environment)
    except OperatorErrors as errors:
        return [str(fault).replace(f"{folder}/", "") for fault in errors.faults]
    return []
