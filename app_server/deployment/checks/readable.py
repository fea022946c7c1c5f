"""Whether the service's user can read what its instances need: a file that only root can read fails every start."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

from app_server.deployment.checks import CheckFinding
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import Files

if TYPE_CHECKING:
    import pwd

_ANSWER_S = 10.0
_FILE_FLAGS = ("--ssl-certfile", "--ssl-keyfile", "--auth-module", "--basic-auth", "--index", "--ico-path", "--setup")


def check(plan: Plan, files: Files) -> Iterator[CheckFinding]:
    """A fault for each file on this machine that the service's user may not read."""
    wanted = {path: where for path, where in _wanted(plan).items() if os.path.lexists(path)}
    try:
        import pwd
    except ModuleNotFoundError:
        return  # on Windows, where no service runs
    try:
        user = pwd.getpwnam(plan.user)
    except KeyError:
        return  # created later, when the host is set up
    if wanted and os.geteuid() not in (0, user.pw_uid):
        hint = f"Check as root, or as {plan.user}."
        yield CheckFinding("note", f"only root can find out what {plan.user} may read", where="service.user", hint=hint)
        return
    for path, where in wanted.items():
        if not _reads(user, plan.group, path):
            hint = f"Such as: chgrp {plan.group} {path} && chmod g+r {path}; its folders need x for that group too."
            yield CheckFinding("fault", f"{plan.user} (service.user) cannot read {path}", where=where, hint=hint)


def _wanted(plan: Plan) -> dict[str, str]:
    """The files that instances read themselves, and the keys that name them.

    systemd reads secrets as root and passes them to the service.
    """
    found: dict[str, str] = {}
    for instance in plan.instances:
        pairs = zip(instance.flags, instance.flags[1:], strict=False)
        found |= {value: flag for flag, value in pairs if flag in _FILE_FLAGS and os.path.isabs(value)}
        found |= {os.path.join(plan.paths.apps, app): "apps" for app in instance.apps}
    if plan.tls is not None and not plan.has_proxy:
        found |= {plan.tls.certificate: "tls.certificate", plan.tls.key: "tls.key"}
    if plan.spec.service.manager == "supervisor":
        found |= {secret.file: secret.key for secret in plan.secrets if secret.file is not None}
    return found


def _reads(user: pwd.struct_passwd, group: str, path: str) -> bool:
    """Whether the kernel lets this user open the path: modes, parent folders and access lists."""
    words = ["test", "-r", path]
    if os.geteuid() != 0:
        return os.access(path, os.R_OK)
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    done = subprocess.run(
        words, user=user.pw_uid, group=_group_id(group, user.pw_gid), extra_groups=groups, cwd="/", check=False,
        timeout=_ANSWER_S,
    )  # fmt: skip
    return done.returncode == 0


def _group_id(name: str, default: int) -> int:
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return default
