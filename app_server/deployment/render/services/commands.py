"""The commands that start the instances, as one would type them into a shell."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from app_server.deployment.plan.values import Plan
from app_server.deployment.render import File, Files
from app_server.deployment.render.templates import header
from app_server.deployment.render.unwritable import refused


def render(plan: Plan) -> Files:
    """A script that says what starts each instance. Secrets come from where the deployment says, never from here."""
    return {"commands/start.sh": File("\n".join(_lines(plan)) + "\n", mode=0o755)}


def quote(words: tuple[str, ...]) -> str:
    """The words as a shell reads them; OperatorError for what would not stay on one line."""
    line = shlex.join(words)
    if not line.isprintable():
        raise refused(line, "a shell's command")
    return line


def _lines(plan: Plan) -> Iterator[str]:
    yield "#!/bin/sh"
    for line in header(plan, "commands"):
        yield f"# {line}"
    yield "set -eu"
    yield f"cd {quote((plan.paths.apps,))}"
    for secret in plan.secrets:
        if secret.file is not None:
            yield f"export {secret.variable}_FILE={quote((secret.file,))}"
        elif secret.environment is not None:
            yield f'export {secret.variable}="${{{secret.environment}?the secret {secret.name} is not set}}"'
        else:
            yield f"# {secret.variable}_FILE: systemd's credential {secret.credential} is available only under systemd"
    for name, value in plan.variables.items():
        yield f"export {name}={quote((value,))}"
    single = len(plan.instances) == 1
    for instance in plan.instances:
        yield f"{'exec ' if single else ''}{quote(instance.command)}{'' if single else ' &'}"
    if not single:
        yield "wait"
