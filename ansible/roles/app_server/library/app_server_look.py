#!/usr/bin/python
"""Reports, in one call, all that the roles need to know about a host before they change anything."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import re
import subprocess
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: app_server_look
short_description: Reports what is on a host, and changes nothing
options:
  root:
    description: The folder of the deployment.
    type: path
    required: true
  places:
    description: Paths where files of the deployment belong.
    type: list
    elements: path
    default: []
  secrets:
    description: Files to compute checksums of.
    type: list
    elements: path
    default: []
  user:
    description: The service's user, and its group with O(group).
    type: str
    required: true
  group:
    description: The service's group.
    type: str
    required: true
  units:
    description: Names of systemd units, or patterns of them.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Examine the host
  app_server_look:
    root: /opt/site
    user: site
    group: site
"""

RETURN = r"""
free_mb:
  description: The free space on the disk that the folder is on, or will be on, in MB.
  returned: always
  type: int
listening:
  description: The TCP ports on which any program listens.
  returned: always
  type: list
not_ours:
  description: Those of the places that exist and do not link into the deployment's folder.
  returned: always
  type: list
current:
  description: The current release, empty if there is none; V(previous) is the one before.
  returned: always
  type: str
has_user:
  description: Whether the user exists, and the group is its primary group.
  returned: always
  type: bool
links:
  description: The links that the current release has made.
  returned: always
  type: list
brought:
  description: The packages that were installed for the deployment; V(packages) are all that are installed.
  returned: always
  type: list
running:
  description: What each instance, and the proxy, was last started with.
  returned: always
  type: dict
releases:
  description: The releases, the newest first, each with its path, its environment, and whether its trial has succeeded.
  returned: always
  type: list
environments:
  description: The virtual environments; V(complete) are those that are complete.
  returned: always
  type: list
secret_sums:
  description: The checksums of the secrets, C(none) for a missing one.
  returned: always
  type: list
units:
  description: >-
    Whether each unit is active, is enabled, and has a file that systemd has not read since it changed. Units of other
    deployments on this host are left out.
  returned: always
  type: dict
"""

# A listening socket in /proc/net/tcp: its port in hexadecimal digits, and the state 0A.
_LISTENS = re.compile(r"^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:0000 0A ", re.MULTILINE)


def free_mb(folder: str) -> int:
    """The free space on the disk of a folder, or of its nearest parent that exists."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    about = os.statvfs(folder)
    return about.f_bavail * about.f_frsize // 2**20


def listening() -> list[int]:
    """The TCP ports on which any program listens."""
    found: set[int] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        found.update(int(port, 16) for port in _LISTENS.findall(_text(table)))
    return sorted(found)


def not_ours(places: list[str], root: str) -> list[str]:
    """The paths that exist and do not link into the deployment's folder."""
    return [
        path
        for path in places
        if os.path.lexists(path) and not (os.path.islink(path) and os.readlink(path).startswith(f"{root}/"))
    ]


def link(path: str) -> str:
    """The target of a link, or an empty text if there is no link."""
    return os.readlink(path) if os.path.islink(path) else ""


def has_user(name: str, group: str) -> bool:
    """Whether a user exists, and the group is its primary group."""
    try:
        return pwd.getpwnam(name).pw_gid == grp.getgrnam(group).gr_gid
    except KeyError:
        return False


def running(root: str) -> dict[str, str]:
    """What each instance, and the proxy, was last started with."""
    folder = f"{root}/running"
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return {name: _text(f"{folder}/{name}").strip() for name in names}


def releases(root: str) -> list[dict[str, Any]]:
    """The releases, the newest first: the path, the environment, and whether the trial has succeeded."""
    folders = sorted(_folders(f"{root}/releases"), key=lambda path: os.stat(path).st_ctime, reverse=True)
    return [
        {"path": path, "environment": link(f"{path}/environment"), "tried": os.path.exists(f"{path}/tried")}
        for path in folders
    ]


def environments(root: str) -> list[str]:
    """The virtual environments, complete or not."""
    return _folders(f"{root}/environments")


def _folders(place: str) -> list[str]:
    return sorted(entry.path for entry in os.scandir(place) if entry.is_dir()) if os.path.isdir(place) else []


def checksum(path: str) -> str:
    """The checksum of a file, or `none` if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return "none"


def packages() -> list[str]:
    """The system's installed packages, on Debian or the RHEL family."""
    for words in (
        ["dpkg-query", "--show", "--showformat=${binary:Package} ${db:Status-Status}\n"],
        ["rpm", "--query", "--all", "--queryformat", "%{NAME} installed\n"],
    ):
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
        except OSError:
            continue
        return [line.split()[0] for line in done.stdout.splitlines() if line.endswith(" installed")]
    return []


def is_of_another(path: str, root: str) -> bool:
    """Whether a unit's file belongs to another deployment, because the pattern for `x` also finds units of `x-two`."""
    place, folder = os.path.realpath(path), os.path.realpath(root)
    beside = f"{os.path.dirname(folder)}/"
    return place.startswith(beside) and "/releases/" in place and not place.startswith(f"{folder}/")


def units(names: list[str], root: str) -> dict[str, dict[str, bool]]:
    """The state of a deployment's units by name; nothing if there is no systemd."""
    properties = "Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,FragmentPath"
    words = ["systemctl", "show", f"--property={properties}", *names]
    try:
        said = subprocess.run(words, capture_output=True, text=True, check=False).stdout if names else ""
    except OSError:
        return {}
    found = [dict(line.split("=", 1) for line in part.splitlines() if "=" in line) for part in said.split("\n\n")]
    return {
        about["Id"]: {
            "active": about.get("ActiveState") in ("active", "activating", "reloading"),
            "enabled": about.get("UnitFileState") == "enabled",
            "outdated": about.get("NeedDaemonReload") == "yes",
        }
        for about in found
        if about.get("Id") and (about.get("LoadState") != "not-found" or about.get("ActiveState") != "inactive")
        and not is_of_another(about.get("FragmentPath", ""), root)
    }


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def main() -> None:
    """Read the arguments, examine the host, and answer."""
    listed: dict[str, Any] = {"type": "list", "elements": "path", "default": []}
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "group": {"type": "str", "required": True},
            "places": listed,
            "secrets": listed,
            "units": {**listed, "elements": "str"},
        },
        supports_check_mode=True,
    )
    root = module.params["root"]
    module.exit_json(
        changed=False,
        free_mb=free_mb(root),
        listening=listening(),
        not_ours=not_ours(module.params["places"], root),
        has_user=has_user(module.params["user"], module.params["group"]),
        current=link(f"{root}/current"),
        previous=link(f"{root}/previous"),
        links=_text(f"{root}/links").splitlines(),
        brought=_text(f"{root}/installed-packages").splitlines(),
        packages=packages(),
        running=running(root),
        releases=releases(root),
        environments=environments(root),
        complete=[path for path in environments(root) if os.path.exists(f"{path}/complete")],
        secret_sums=[checksum(path) for path in module.params["secrets"]],
        units=units(module.params["units"], root),
    )


if __name__ == "__main__":
    main()
