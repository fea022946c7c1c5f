"""logrotate's rule for the proxy's logs. Those of the instances are the journal's, or supervisor's own."""

from __future__ import annotations

from app_server.deployment.plan.values import Plan
from app_server.deployment.render import File, Files
from app_server.deployment.render.templates import Quoted, environment, header
from app_server.deployment.render.unwritable import refused

# The user and group that own a proxy's logs on Debian, and what has it open new files without dropping a connection.
REOPEN = {
    "nginx": ("www-data adm", "[ ! -s /run/nginx.pid ] || kill -USR1 $(cat /run/nginx.pid)"),
    # Apache has no signal that only reopens logs; a graceful restart lets connections end by themselves.
    "apache": ("root adm", "! apache2ctl -t >/dev/null 2>&1 || apache2ctl graceful >/dev/null"),
}


_MEANINGFUL = "\"'\\*?[]{}"


def wanted(plan: Plan) -> bool:
    """Whether there is a proxy, whose logs nothing else rotates."""
    return plan.has_proxy


def pattern(folder: str, name: str) -> Quoted:
    """A path in quotes, whose end is a pattern of ours."""
    if not folder.isprintable() or set(folder) & set(_MEANINGFUL):
        raise refused(folder, "logrotate's configuration", _MEANINGFUL)
    return Quoted(f'"{folder}"/{name}' if " " in folder else f"{folder}/{name}")


def render(plan: Plan) -> Files:
    """One rule."""
    owner, reopen = REOPEN[plan.spec.proxy.kind] if plan.has_proxy else REOPEN["nginx"]
    names = " ".join(pattern(plan.paths.log, name) for name in ("access.log", "error.log"))
    text = (
        environment("logrotate", {})
        .get_template("site")
        .render(
            header=header(plan, "logrotate"),
            pattern=Quoted(names),
            every=plan.spec.logs.rotation.every,
            rotation=plan.spec.logs.rotation,
            owner=owner,
            reopen=reopen,
        )
    )
    return {f"logrotate/{plan.name}": File(text, install=f"/etc/logrotate.d/{plan.name}")}
