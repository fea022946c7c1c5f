"""Deployments for tests, from the text of a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from textwrap import dedent

from hypothesis import strategies as st

from app_server.deployment.load import LoadedSpec, load
from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import render
from app_server.errors import OperatorErrors

MINIMAL = """\
apps:
  myapp: myapp.py
public: tools.example.org
"""
THREE = """\
apps:
  myapp: myapp.py
public: tools.example.org
instances: 3
"""
HOSTS = """\
apps:
  myapp: myapp.py
public: tools.example.org
instances:
  count: 2
  hosts:
    - {name: one, address: 10.0.0.1, ssh: "me@one:2222"}
    - {name: two, address: 10.0.0.2}
"""
PRINTABLE = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=40)
"""Values of a deployment that hold no line break."""


def loaded(folder: Path, text: str = MINIMAL, environment: str | None = None) -> LoadedSpec:
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
    return resolve_plan(loaded(folder, text, environment), regenerate=("app-server", "config"))


def faults(folder: Path, text: str, environment: str | None = None) -> list[str]:
    """What is wrong with it, without the folder's name."""
    try:
        planned(folder, text, environment)
    except OperatorErrors as errors:
        return [str(fault).replace(f"{folder}/", "") for fault in errors.faults]
    return []


def text(folder: Path, target: str, spec: str, name: str) -> str:
    """One file of a target."""
    return render(target, planned(folder, spec))[name].text


def line(text: str, start: str) -> str:
    """The only line that begins so, without that."""
    (found,) = [line for line in text.splitlines() if line.startswith(start)]
    return found.removeprefix(start)
