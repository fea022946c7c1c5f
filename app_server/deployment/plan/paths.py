"""Paths of files on hosts and in our images."""

from __future__ import annotations

from app_server.deployment.plan.defaults import CONTAINER_SOCKETS
from app_server.deployment.plan.values import Paths
from app_server.deployment.spec import Spec


def container_paths() -> Paths:
    """Where things are in our images, whatever the hosts have."""
    return Paths(
        command=("app-server",),
        apps="/apps",
        etc="/etc/app-server",
        run=CONTAINER_SOCKETS,
        log="/var/log/app-server",
        state="/tmp",
        static="/usr/share/app-server/static",
        apache="/etc/apache2/sites-enabled",
    )


def host_paths(spec: Spec) -> Paths:
    given, name = spec.paths, spec.name
    return Paths(
        command=given.command or (f"/opt/{name}/bin/app-server",),
        apps=given.apps or f"/srv/{name}",
        etc=given.etc or f"/etc/{name}",
        run=given.run or f"/run/{name}",
        log=spec.logs.dir or f"/var/log/{name}",
        state=given.state or f"/var/lib/{name}",
        static=given.static or f"/usr/share/{name}/static",
    )
