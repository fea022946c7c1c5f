"""Jinja templates that live once, under `deploy/` of the repository, and travel inside the wheel."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app_server.deployment.own_files import place
from app_server.deployment.plan.values import Plan
from app_server.deployment.render.compiled import CompiledTemplates
from app_server.errors import InternalError, OperatorError

Filters = Mapping[str, Callable[..., str]]

OPTIONS: Mapping[str, Any] = {
    "trim_blocks": True,
    "lstrip_blocks": True,
    "keep_trailing_newline": True,
    "autoescape": True,
    # Where compiled templates cannot be kept, what the optimizer saves is less than what it costs.
    "optimized": False,
}
"""How templates are compiled."""


@cache
def template_root() -> Path:
    """The folder `deploy/` of a clone, or what the wheel has of it. OperatorError if there is none."""
    root = place("deploy")
    if root.is_dir():
        return root
    raise OperatorError(
        "this installation has no templates of configurations, as the images of app-server have none",
        hint="Run the command where app-server was installed with pip.",
    )


def environment(target: str, filters: Filters) -> Environment:
    """The templates of one target. A value that is printed without one of its filters raises, as does a missing one.

    Whatever is printed with `{{ }}` has to be a number or what a filter has marked as quoted.
    """
    return _environment(target, tuple(sorted(filters.items())))


@cache
def _environment(target: str, filters: tuple[tuple[str, Callable[..., str]], ...]) -> Environment:
    # Kept, so a template is compiled once, however many sites are rendered.
    jinja = Environment(
        loader=FileSystemLoader([template_root() / target, template_root() / "common"]),
        undefined=StrictUndefined,
        finalize=_finalize,
        bytecode_cache=CompiledTemplates(OPTIONS),
        auto_reload=False,
        **OPTIONS,
    )
    jinja.filters.update(filters)
    jinja.filters["trusted"] = Quoted
    return jinja


class Quoted(Markup):
    """Text that a target's filter has checked or quoted, or that we wrote ourselves.

    Jinja's escaping is on only because it then knows apart, as Markup, what a macro has made; nothing is ever escaped,
    for what is not Markup is refused.
    """

    __slots__ = ()


def _finalize(value: object) -> object:
    if isinstance(value, Markup | int | float):
        return value
    raise InternalError(f"a template prints {value!r} without a filter that quotes it")


def header(plan: Plan, target: str) -> list[Quoted]:
    """The first lines of each generated file, without the comment's sign: what it is, and how to generate it again."""
    line = shlex.join([*plan.regenerate[:2], target, *plan.regenerate[2:]]) if plan.regenerate else ""
    if not line or not line.isprintable():
        line = f"app-server config {target}"
    first = f"Written by app-server for {plan.name}; changes here are lost with the next run of"
    return [Quoted(first), Quoted(f"  {line}")]


def comments(plan: Plan, target: str, *more: str) -> str:
    """The same as comments of a file in which # begins one, and further lines."""
    return "".join(f"# {line}\n" for line in [*header(plan, target), *more])


def settings(plan: Plan) -> Mapping[str, Any]:
    """What every template gets."""
    return {"plan": plan, "spec": plan.spec, "site": plan.site, "paths": plan.paths, "tls": plan.tls}
