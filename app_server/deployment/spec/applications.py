"""What is served, and by how many processes: the blocks `apps` and `instances`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app_server.deployment.spec.base import Model
from app_server.deployment.spec.readers import LIST, choice, seconds, whole
from app_server.deployment.spec.words import AbsolutePath, AppName, FilePath, Host, Name, Port, UrlPath, Word

Isolation = Annotated[Literal["none", "process", "snapshot"], choice()]


class ApplicationLimits(Model):
    """What one session may use up."""

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
    """how many instances it runs; else `instances.count`"""
    ssh: Word | None = None
    """how Ansible reaches it, USER@HOST or HOST; else its address"""


class Instances(Model):
    """The server's processes. Each has a port or a socket of its own, and an id that a session's address carries."""

    short: ClassVar[str | None] = "count"

    count: Annotated[int, whole(1, 512)] = 1
    """how many; on each host, if `hosts` are given"""
    port: Port | None = None
    """the first one's port, the next ones have the next ports; else 5100, or 5006 without a proxy"""
    address: Host | None = None
    """where they listen and the proxy reaches them; else the loopback address, with `hosts` the host's own, and without
    a proxy all addresses"""
    socket_dir: AbsolutePath | None = None
    """listen on Unix sockets in this folder instead of ports"""
    hosts: Annotated[tuple[ServerHost, ...], Field(max_length=256)] = ()
    """the machines that run them; without any, all is on one host"""
    processes: Annotated[int, whole(0, 1024)] | None = None
    """worker processes behind each instance's address; 0 takes one for each core"""


class OwnInstances(Model):
    """Instances that serve one application alone."""

    short: ClassVar[str | None] = "count"

    count: Annotated[int, whole(1, 512)] | None = None
    """how many; else as many as `instances.count`"""
    port: Port | None = None
    """the first one's port; else the ones after those of the applications before"""


class Application(Model):
    """One application."""

    short: ClassVar[str | None] = "path"

    path: FilePath
    """its script, notebook or folder; below `paths.apps` unless it begins with /"""
    route: UrlPath | None = None
    """where it is served, below the prefix; else the name of its file, as `app-server serve` does"""
    args: Annotated[tuple[Word, ...], LIST] = ()
    """its sys.argv; it is served by instances of its own then"""
    isolation: Isolation | None = None
    """its sessions' isolation, where it differs from `sessions.isolation`; by instances of its own"""
    limits: ApplicationLimits | None = None
    """what its sessions may use up, where it differs from `sessions.limits`; by instances of its own"""
    instances: OwnInstances | None = None
    """serve it by instances of its own"""

    @property
    def stands_alone(self) -> bool:
        """Whether other applications cannot share its instances."""
        return bool(self.args or self.isolation or self.limits or self.instances)


Applications = Annotated[dict[AppName, Application], Field(min_length=1)]
