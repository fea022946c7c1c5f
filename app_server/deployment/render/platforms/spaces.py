"""A Space of Hugging Face that is made with Docker: its Dockerfile, and the README.md that describes it."""

from __future__ import annotations

import json
from typing import Final

import yaml

from app_server.deployment.plan.defaults import CONTAINER_PORT
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import File, Files
from app_server.deployment.render.platforms.contract import (
    Platform,
    own_secrets,
    secrets_of_applications,
    variables,
    words,
)
from app_server.deployment.render.templates import comments
from app_server.errors import OperatorError

# Its manual does not say how long it waits; Docker waits ten seconds.
SPACES: Final = Platform("Hugging Face", grace_s=10)


def wanted(plan: Plan) -> bool:
    """`all` is for hosts; a platform must be requested."""
    return False


def render(plan: Plan) -> Files:
    """The two files at the top of the Space's repository."""
    if len(plan.instances) > 1:
        raise OperatorError("a Space has one container", where="instances", hint="Say instances: 1.")
    names = [secret.variable for secret in own_secrets(plan)]
    if secrets_of_applications(plan) is not None:
        names.append("each variable of the file in service.secrets")
    place = "in its settings, or by add_space_secret of huggingface_hub"
    head = comments(plan, "spaces", *([f"Secrets of the Space ({place}): {', '.join(names)}"] if names else []))
    lines = [f"{head}FROM {plan.contained.product}"]
    lines += [f"ENV {name}={_quoted(value)}" for name, value in variables(plan).items()]
    lines += [f"EXPOSE {CONTAINER_PORT}", f"CMD {json.dumps(list(words(plan, SPACES)), ensure_ascii=False)}"]
    about = {"title": plan.name, "sdk": "docker", "app_port": CONTAINER_PORT}
    readme = f"---\n{yaml.safe_dump(about, sort_keys=False, allow_unicode=True)}---\n"
    return {"spaces/Dockerfile": File("\n".join(lines) + "\n"), "spaces/README.md": File(readme)}


def _quoted(value: str) -> str:
    """A value of a Dockerfile, in which no variable is replaced."""
    return json.dumps(value, ensure_ascii=False).replace("$", "\\$")
