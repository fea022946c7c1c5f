"""What the image app-server-all-in-one is built with: nginx and N instances in one container, under supervisor.

Proxy and instances meet at sockets as they do with compose, so nginx's configuration is the same.
"""

from __future__ import annotations

from app_server.deployment.plan.values import Plan
from app_server.deployment.render import File, Files
from app_server.deployment.render import render as render_target
from app_server.deployment.render.services.supervisor import command, plain
from app_server.deployment.render.services.supervisor import whole as seconds
from app_server.deployment.render.templates import environment, header, settings
from app_server.errors import OperatorError

FOLDER = "docker/all-in-one/site"


def wanted(plan: Plan) -> bool:
    """`all` is for hosts; containers must be requested."""
    return False


def render(plan: Plan) -> Files:
    """supervisor's file and nginx's, where the Dockerfile takes them from."""
    if plan.spec.proxy.kind != "nginx":
        raise OperatorError("the all-in-one image contains nginx", where="proxy", hint="Set proxy: nginx.")
    jinja = environment("all-in-one", {"plain": plain, "whole": seconds})
    text = jinja.get_template("supervisord.conf").render(
        **settings(plan),
        header=header(plan, "all-in-one"),
        secrets=plan.secrets,
        programs=[(instance.name, command(instance.command)) for instance in plan.instances],
    )
    files = {f"{FOLDER}/supervisord.conf": File(text)}
    for path, file in render_target("nginx", plan).items():
        files[f"{FOLDER}/nginx/{path.removeprefix('nginx/')}"] = file
    return files
