"""The blocks `apps` and `instances`: what is served, and by how many processes."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app_server.deployment.spec.base import Model
from app_server.deployment.spec.readers import LIST, choice, seconds, whole
from app_server.deployment.spec.words import (
    AbsolutePath,
    AppName,
    FilePath,
    Host,
    Name,
    Port,
    Principal,
    RoutePath,
    Word,
)

Isolation = Annotated[Literal["none", "process", "snapshot"], choice()]


class ApplicationLimits(Model):
    """Limits of one session."""

    session_memory_mb: Annotated[int, whole(16)] | None = None
    """the memory of one session, in MB; needs isolation"""
    session_cpu_s: Annotated[float, seconds(1)] | None = None
    """the processor time of one session, in seconds; needs isolation"""
    callback_s: Annotated[float, seconds(0.1)] | None = None
    """how long one callback may run, in seconds; needs isolation"""


class ServerHost(Model):
    """A machine that runs instances."""

    name: Name
    """its name in inventories, and part of its instances' names"""
    address: Host
    """where the proxy reaches it"""
    count: Annotated[int, whole(0, 512)] | None = None
    """how many instances it runs; default: `instances.count`"""
    ssh: Word | None = None
    """how Ansible reaches it, USER@HOST or HOST; default: its address"""


class Instances(Model):
    """The server's processes. Each has its own port or socket, and an id that the addresses of its sessions contain."""

    short: ClassVar[str | None] = "count"

    count: Annotated[int, whole(1, 512)] = 1
    """how many; if `hosts` are given, on each host"""
    port: Port | None = None
    """the first one's port; the others use the following ports; default: 5100, or 5006 without a proxy"""
    address: Host | None = None
    """the address where they listen and the proxy reaches them; default: the loopback address; with `hosts`, the host's
    own; without a proxy, all addresses"""
    socket_dir: AbsolutePath | None = None
    """listen on Unix sockets in this folder instead of ports"""
    hosts: Annotated[tuple[ServerHost, ...], Field(max_length=256)] = ()
    """the machines that run them; default: one host runs everything"""
    processes: Annotated[int, whole(0, 1024)] | None = None
    """worker processes of each instance; 0 starts one for each core"""


class OwnInstances(Model):
    """Instances that serve only one application."""

    short: ClassVar[str | None] = "count"

    count: Annotated[int, whole(1, 512)] | None = None
    """how many; default: `instances.count`"""
    port: Port | None = None
    """the first one's port; default: the next free ones"""


class ApplicationAccess(Model):
    """Who may open an application, of those who are logged in; one match is enough."""

    users: Annotated[tuple[Principal, ...], LIST] = ()
    """names of users, or patterns such as `*@example.org`"""
    groups: Annotated[tuple[Principal, ...], LIST] = ()
    """names of groups, or patterns"""


class Application(Model):
    """One application."""

    short: ClassVar[str | None] = "path"

    path: FilePath
    """its script, notebook or folder; below `paths.apps` unless it begins with /"""
    route: RoutePath | None = None
    """where it is served, below the prefix, such as /sales or /users/{name}; default: the name of its file, as with
    `app-server serve`"""
    args: Annotated[tuple[Word, ...], LIST] = ()
    """its sys.argv; it then gets its own instances"""
    isolation: Isolation | None = None
    """the isolation of its sessions, if it differs from `sessions.isolation`; it then gets its own instances"""
    limits: ApplicationLimits | None = None
    """limits of its sessions, if they differ from `sessions.limits`; it then gets its own instances"""
    access: ApplicationAccess | None = None
    """who may open it; default: `access.users` and `access.groups`"""
    instances: OwnInstances | None = None
    """serve it with its own instances"""

    @property
    def stands_alone(self) -> bool:
        """Whether other applications cannot share its instances."""
        return bool(self.args or self.isolation or self.limits or self.instances)


Applications = Annotated[dict[AppName, Application], Field(min_length=1)]
