"""The Procfile of Heroku, and of platforms that read the same: Dokku, Scalingo, Clever Cloud, Cloud Foundry."""

from __future__ import annotations

import shlex
from typing import Final

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

HEROKU: Final = Platform("Heroku", grace_s=30)


def wanted(plan: Plan) -> bool:
    """`all` is for hosts; a platform must be requested."""
    return False


def render(plan: Plan) -> Files:
    """The Procfile. The variables that it does not hold are set by the commands in its first lines."""
    more = ["Variables are set by:"] if plan.secrets or variables(plan) else []
    more += [f"  heroku config:set {shlex.quote(f'{name}={value}')}" for name, value in variables(plan).items()]
    more += [f'  heroku config:set {secret.variable}="$(cat FILE)"' for secret in own_secrets(plan)]
    if secrets_of_applications(plan) is not None:
        more.append("  heroku config:set NAME=VALUE  for each variable of the file in service.secrets")
    if len(plan.instances) > 1:
        more += ["Several dynos:", f"  heroku ps:scale web={len(plan.instances)}",
                 "  heroku features:enable http-session-affinity"]  # fmt: skip
    head = comments(plan, "heroku", *more)
    # A shell runs the line. Without exec, some shells stay in between, and signals end only them.
    command = shlex.join(["exec", "app-server", "serve", *words(plan, HEROKU)])
    return {"heroku/Procfile": File(f"{head}web: {command}\n")}
