"""What runs it: services, containers, sessions, secrets, logs, tunnels, and where things are on a host."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app_server.deployment.spec.applications import ApplicationLimits, Isolation
from app_server.deployment.spec.base import Model
from app_server.deployment.spec.readers import LIST, Flag, choice, number, seconds, text, whole
from app_server.deployment.spec.words import (
    AbsolutePath,
    Constraint,
    Host,
    Image,
    Line,
    Mode,
    Name,
    Network,
    Port,
    SshServer,
    User,
    Variable,
    Word,
)


class Sessions(Model):
    """The sessions of every application."""

    ids: Annotated[Literal["unsigned", "signed", "external-signed"], choice()] | None = None
    """signed: an id without our signature opens nothing; external-signed: only other programs sign them; else signed
    if there is a login, and unsigned without one"""
    token_expiry_s: Annotated[int, whole(1)] | None = None
    """how long a page's token can open a session; else the server's default"""
    max_sessions: Annotated[int, whole(1)] | None = None
    """how many an instance holds; more get a page that asks to wait"""
    max_sessions_per_address: Annotated[int, whole(1)] | None = None
    """how many one visitor's address may have on an instance"""
    unused_lifetime_s: Annotated[float, seconds(0.001)] | None = None
    """how long a session lives without a browser; else the server's default"""
    ping_interval_s: Annotated[float, seconds(1)] | None = None
    """how often browsers are pinged; else the server's default"""
    isolation: Isolation | None = None
    """process: each session in a process of its own; snapshot: forked from a finished one"""
    limits: ApplicationLimits = Field(default_factory=ApplicationLimits)
    """what one session may use up"""


class Secret(Model):
    """Where a secret comes from. The secret itself never stands here."""

    refusal: ClassVar[str | None] = (
        "says where the secret is, never the secret itself. Write it to a file, and name that: {file: PATH}"
    )

    file: AbsolutePath | None = None
    """a file that holds it"""
    environment: Variable | None = None
    """a variable of the shell or container runtime that starts the service"""
    credential: Annotated[str, text("the name of a credential", r"[A-Za-z0-9_.-]{1,100}")] | None = None
    """a systemd credential of this name, encrypted or not"""


class Secrets(Model):
    """The server's secrets. `app-server secret` makes one."""

    refusal: ClassVar[str | None] = "expected a line for each secret, such as `secret_key: {file: PATH}`"

    secret_key: Secret | None = None
    """signs session ids and tokens; instances share it"""
    cookie_secret: Secret | None = None
    """signs the cookies of logins"""
    oidc_client_secret: Secret | None = None
    """what an OpenID Connect provider gave"""
    ssl_password: Secret | None = None
    """unlocks the private key, where the server itself speaks TLS"""


class Rotation(Model):
    """When logs are put away."""

    every: Annotated[Literal["daily", "weekly", "monthly"], choice()] = "daily"
    """how often"""
    keep: Annotated[int, whole(0, 1000)] = 14
    """how many old ones stay"""
    size_mb: Annotated[int, whole(1, 100000)] | None = None
    """or sooner, when they are as large as this"""
    compress: Flag = True
    """pack old ones"""


class Logs(Model):
    """What is written down."""

    format: Annotated[Literal["json", "combined"], choice()] = "json"
    """of the proxy's log; neither carries query strings, which hold tokens"""
    server: Annotated[Literal["text", "json"], choice()] = "text"
    """of the instances' logs"""
    level: Annotated[Literal["debug", "info", "warning", "error"], choice()] = "info"
    """how much instances tell"""
    dir: AbsolutePath | None = None
    """the folder; else /var/log and the deployment's name"""
    rotation: Rotation = Field(default_factory=Rotation)
    """when logs are put away"""


class Service(Model):
    """What starts the instances on a host, and again when they end."""

    short: ClassVar[str | None] = "manager"

    manager: Annotated[Literal["systemd", "supervisor", "gunicorn", "none"], choice()] = "systemd"
    """which one"""
    user: User | None = None
    """the user that they run as; else the deployment's name"""
    group: User | None = None
    """the group; else the user's name"""
    drain_s: Annotated[float, seconds(0, 86400)] = 30
    """how long sessions may go on after a stop was asked for; then browsers move to another instance"""
    stop_timeout_s: Annotated[float, seconds(1, 90000)] | None = None
    """when what has not stopped is killed; else a little more than the drain"""
    watchdog_s: Annotated[float, seconds(1, 3600)] = 30
    """an instance that has not said that it is well for so long is started again"""
    restart_s: Annotated[float, seconds(0, 3600)] = 2
    """the wait before an instance that failed is started again"""
    open_files: Annotated[int, whole(256, 1048576)] = 65536
    """how many files and sockets an instance may have open"""
    memory_mb: Annotated[int, whole(64)] | None = None
    """the memory of one instance, in MB"""
    cpus: Annotated[float, number(0.01, 1024)] | None = None
    """the processors of one instance"""
    workers: Annotated[int, whole(1, 512)] = 1
    """gunicorn's worker processes in each instance"""
    environment: dict[Variable, Word] = Field(default_factory=dict)
    """further variables; no secrets"""


class Images(Model):
    """The images' names."""

    app: Image | None = None
    """the server with its applications; else called after the deployment"""
    proxy: Image | None = None
    """the proxy; else called after the deployment where it is built, and `app-server-` and its kind elsewhere"""


class Published(Model):
    """The host's ports that lead to the proxy's container."""

    address: Host | None = None
    """the host's address; else all of them, or 127.0.0.1 where `public` names this machine only"""
    http: Port | None = None
    """for http; else 8080"""
    https: Port | None = None
    """for https, with TLS; else 8443"""


class Swarm(Model):
    """For the target swarm."""

    secrets_version: Annotated[int, whole(1, 1000000)] = 1
    """the end of the names of secrets in the swarm; a new one after `docker secret create` of new ones rotates them"""
    instances_on: Annotated[tuple[Constraint, ...], LIST] = ()
    """the nodes that instances may be on, such as `node.labels.apps == yes`; else all of them"""
    proxies_on: Annotated[tuple[Constraint, ...], LIST] = ()
    """the nodes that have a proxy each; else all of them"""
    monitor_s: Annotated[float, seconds(1, 3600)] = 15
    """what fails so soon after an update has the update taken back"""


class Containers(Model):
    """For the targets compose, swarm and kubernetes."""

    images: Images = Field(default_factory=Images)
    """the images' names"""
    publish: Published = Field(default_factory=Published)
    """the ports outside"""
    memory_mb: Annotated[int, whole(64)] = 1024
    """the memory of an instance's container, in MB"""
    cpus: Annotated[float, number(0.01, 1024)] | None = None
    """the processors of an instance's container"""
    pids: Annotated[int, whole(16, 1000000)] = 512
    """the processes and threads of an instance's container"""
    grace_s: Annotated[float, seconds(1, 90000)] | None = None
    """when a container that has not stopped is killed; else a little more than the drain"""
    subnet: Network | None = None
    """the network between proxy and instances; else what the engine chooses"""
    build_context: Line | None = None
    """where the engine finds our Dockerfiles: a clone, seen from this file; else the images must be there"""
    source: Line | None = None
    """the folder of the applications, seen from this file, all of which a release holds; else the folder of this file,
    of which it holds the applications, the modules that they import, and `include`; compose mounts `paths.apps`
    instead if only that is stated"""
    namespace: Name | None = None
    """Kubernetes' namespace; else the deployment's name"""
    swarm: Swarm = Field(default_factory=Swarm)
    """what Docker Swarm alone has"""


class Tunnel(Model):
    """A way through SSH, where the server cannot be reached directly."""

    kind: Annotated[Literal["local", "reverse"], choice()]
    """local: a port here leads to the other side; reverse: a port of the other side leads here"""
    server: SshServer
    """the other side: USER@HOST, perhaps with :PORT"""
    ssh: Word | None = None
    """how Ansible logs in to the other side to let the tunnel in, such as `admin@gateway`; else it does not"""
    jump: Annotated[tuple[SshServer, ...], LIST] = ()
    """the hosts on the way, the nearest first"""
    listen: Port = 5006
    """the port that people use, on localhost of its side"""
    target_host: Host = "localhost"
    """where it leads to, seen from its end"""
    target_port: Port | None = None
    """the port there; else the first instance's"""
    identity: AbsolutePath | None = None
    """the private key; else `tunnel_key` in `paths.etc`"""
    known_hosts: AbsolutePath | None = None
    """the other side's public keys; else `known_hosts` in `paths.etc`"""
    user: User | None = None
    """the local user that runs it; else the service's"""
    alive_interval_s: Annotated[int, whole(1, 3600)] = 15
    """how often the connection is probed"""
    alive_count: Annotated[int, whole(1, 100)] = 3
    """how many probes may go unanswered"""


class Paths(Model):
    """Where things are on a host."""

    command: Annotated[tuple[Word, ...], Field(min_length=1), LIST] | None = None
    """the command `app-server`; else `/opt`, the deployment's name and `/bin/app-server`"""
    apps: AbsolutePath | None = None
    """the folder of the applications; else /srv and the deployment's name"""
    etc: AbsolutePath | None = None
    """what was generated, and secrets; else /etc and the deployment's name"""
    run: AbsolutePath | None = None
    """sockets; else /run and the deployment's name"""
    state: AbsolutePath | None = None
    """what the server keeps; else /var/lib and the deployment's name"""
    static: AbsolutePath | None = None
    """a copy of BokehJS for the proxy; else /usr/share, the deployment's name and /static"""
    mode: Mode = "0640"
    """the permissions of generated files that name secrets' places"""
