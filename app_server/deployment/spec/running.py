"""Services, containers, sessions, logs, tunnels, and where things are on a host."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app_server.deployment.spec.applications import ApplicationLimits, Isolation
from app_server.deployment.spec.base import Model, block
from app_server.deployment.spec.readers import LIST, Flag, choice, number, seconds, whole
from app_server.deployment.spec.secrets import ApplicationSecrets
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
    StorePlace,
    User,
    Variable,
    Word,
)


class Sessions(Model):
    """The sessions of every application."""

    ids: Annotated[Literal["unsigned", "signed", "external-signed"], choice()] | None = None
    """signed: ids without the server's signature are refused; external-signed: only other programs sign ids; default:
    signed if there is a login, else unsigned"""
    token_expiry_s: Annotated[int, whole(1)] | None = None
    """how long a page's token can open a session; default: the server's"""
    max_sessions: Annotated[int, whole(1)] | None = None
    """the most sessions of an instance; further visitors get a page that asks them to wait"""
    max_sessions_per_address: Annotated[int, whole(1)] | None = None
    """the most sessions of one visitor's address on an instance"""
    max_sessions_per_user: Annotated[int, whole(1)] | None = None
    """the most sessions of one logged-in user on an instance; the login is `access.external` or one of the server's"""
    unused_lifetime_s: Annotated[float, seconds(0.001)] | None = None
    """how long a session lives without a browser; default: the server's"""
    ping_interval_s: Annotated[float, seconds(1)] | None = None
    """how often browsers are pinged; default: the server's"""
    store: StorePlace | None = None
    """where sessions are saved: a folder that the instances of a host share; an address of Redis or Valkey, which
    instances on several hosts need (with a password: `secrets.store`); valkey: a Valkey in the swarm or cluster itself;
    off. Default: `sessions` in `paths.state`, or a volume of compose; off in a swarm or cluster"""
    store_ttl_s: Annotated[int, whole(1)] | None = None
    """how long a saved session is kept after its last change; default: the server's"""
    store_max_mb: Annotated[int, whole(1, 100000)] | None = None
    """how much is saved of one session; of a larger one, only its inputs are saved; default: the server's"""
    store_encrypt: Flag = False
    """encrypt saved sessions with `secrets.secret_key`"""
    store_optional: Flag = False
    """start instances even if sessions cannot be saved"""
    restore: Annotated[Literal["inputs", "values", "off"], choice()] | None = None
    """what a saved session gets back; inputs: callbacks are called for changed inputs, then all values are set; values:
    they are only set; off: it starts again; default: the server's"""
    isolation: Isolation | None = None
    """process: each session in its own process; snapshot: forked from one that has already run the application"""
    limits: ApplicationLimits = block(ApplicationLimits)
    """limits of one session"""


class Console(Model):
    """A console for operators on each host, which shows all instances."""

    short: ClassVar[str | None] = "port"

    port: Port | None = None
    """the port of the first instance's console on each host, and the ones after it for the others; default: no
    console"""
    auth: AbsolutePath | None = None
    """the operators' file, which `app-server passwd` writes, on each host; instances on several hosts need it"""
    audit: AbsolutePath | None = None
    """a file to which what operators do is appended"""


class Rotation(Model):
    """When logs are rotated."""

    every: Annotated[Literal["daily", "weekly", "monthly"], choice()] = "daily"
    """how often"""
    keep: Annotated[int, whole(0, 1000)] = 14
    """how many old logs to keep"""
    size_mb: Annotated[int, whole(1, 100000)] | None = None
    """rotate earlier at this size"""
    compress: Flag = True
    """compress old logs"""


class Logs(Model):
    """Log files."""

    format: Annotated[Literal["json", "combined"], choice()] = "json"
    """the format of the proxy's log; none contains query strings, which hold tokens"""
    server: Annotated[Literal["text", "json"], choice()] = "text"
    """the format of the instances' logs"""
    level: Annotated[Literal["debug", "info", "warning", "error"], choice()] = "info"
    """the log level of instances"""
    dir: AbsolutePath | None = None
    """the folder; default: /var/log and the deployment's name"""
    rotation: Rotation = block(Rotation)
    """when logs are rotated"""


class Service(Model):
    """The program that starts the instances on a host and restarts them."""

    short: ClassVar[str | None] = "manager"

    manager: Annotated[Literal["systemd", "supervisor", "gunicorn", "none"], choice()] = "systemd"
    """which program"""
    user: User | None = None
    """the user that they run as; default: the deployment's name"""
    group: User | None = None
    """their group; default: the user's name"""
    drain_s: Annotated[float, seconds(0, 86400)] | None = None
    """how long sessions may continue after a stop is requested; then browsers move to another instance. Default: 0 if
    all instances share a store and restore from it, because sessions go on there with all that was done in them;
    else 30"""
    stop_timeout_s: Annotated[float, seconds(1, 90000)] | None = None
    """when an instance that has not stopped is killed; default: a little longer than the drain"""
    watchdog_s: Annotated[float, seconds(1, 3600)] = 30
    """restart an instance that has not reported to be alive for this long"""
    restart_s: Annotated[float, seconds(0, 3600)] = 2
    """the delay before a failed instance is restarted"""
    open_files: Annotated[int, whole(256, 1048576)] = 65536
    """how many files and sockets an instance may have open"""
    memory_mb: Annotated[int, whole(64)] | None = None
    """the memory of one instance, in MB"""
    cpus: Annotated[float, number(0.01, 1024)] | None = None
    """the processors of one instance"""
    workers: Annotated[int, whole(1, 512)] = 1
    """gunicorn's worker processes in each instance"""
    environment: dict[Variable, Word] = Field(default_factory=dict)
    """further environment variables; no secrets"""
    secrets: ApplicationSecrets | None = None
    """the applications' secrets: a file of variables, such as .env, which they get in their environment"""


class Images(Model):
    """The images' names."""

    app: Image | None = None
    """the server with its applications; default: named after the deployment"""
    proxy: Image | None = None
    """the proxy; default: named after the deployment if it is built, else `app-server-` and its kind"""


class Published(Model):
    """The host's ports that are forwarded to the proxy's container."""

    address: Host | None = None
    """the host's address; default: all of them, or 127.0.0.1 if `public` only names this machine"""
    http: Port | None = None
    """for http; default: 8080"""
    https: Port | None = None
    """for https, with TLS; default: 8443"""


class Swarm(Model):
    """For the target swarm."""

    secrets_version: Annotated[int, whole(1, 1000000)] = 1
    """a suffix of the names of secrets in the swarm; to rotate them, create new ones and change the suffix"""
    instances_on: Annotated[tuple[Constraint, ...], LIST] = ()
    """the nodes that instances may run on, such as `node.labels.apps == yes`; default: all of them"""
    proxies_on: Annotated[tuple[Constraint, ...], LIST] = ()
    """the nodes that run a proxy; default: all of them"""
    monitor_s: Annotated[float, seconds(1, 3600)] = 15
    """a failure within this time after an update rolls the update back"""


class Valkey(Model):
    """The Valkey that keeps saved sessions in a swarm or cluster, with `sessions.store: valkey`."""

    short: ClassVar[str | None] = "image"

    image: Image = "valkey/valkey:8"
    """its image; user 999 must be able to write to /data in it"""
    memory_mb: Annotated[int, whole(64)] = 512
    """the memory of its container, in MB; sessions get three fifths of it"""


class Containers(Model):
    """For the targets compose, swarm and kubernetes."""

    images: Images = block(Images)
    """the images' names"""
    publish: Published = block(Published)
    """the published ports"""
    memory_mb: Annotated[int, whole(64)] = 1024
    """the memory of an instance's container, in MB"""
    cpus: Annotated[float, number(0.01, 1024)] | None = None
    """the processors of an instance's container"""
    pids: Annotated[int, whole(16, 1000000)] = 512
    """the processes and threads of an instance's container"""
    grace_s: Annotated[float, seconds(1, 90000)] | None = None
    """when a container that has not stopped is killed; default: a little longer than the drain"""
    subnet: Network | None = None
    """the network between proxy and instances; default: the engine's choice"""
    build_context: Line | None = None
    """the folder of app-server's Dockerfiles, relative to this file; default: the images must exist"""
    source: Line | None = None
    """the folder of the applications, relative to this file; a release contains all of it. Default: the folder of this
    file, of which a release contains the applications, the modules that they import, and `include`; compose mounts
    `paths.apps` if only that is set"""
    namespace: Name | None = None
    """Kubernetes' namespace; default: the deployment's name"""
    valkey: Valkey = block(Valkey)
    """the Valkey of `sessions.store: valkey`; a bare value is its image"""
    swarm: Swarm = block(Swarm)
    """settings of Docker Swarm only"""


class Tunnel(Model):
    """A tunnel through SSH, for servers that cannot be reached directly."""

    kind: Annotated[Literal["local", "reverse"], choice()]
    """local: a port here is forwarded to the other side; reverse: a port of the other side is forwarded here"""
    server: SshServer
    """the other side: USER@HOST, optionally with :PORT"""
    ssh: Word | None = None
    """how Ansible logs in to the other side to set the tunnel up, such as `admin@gateway`; default: it does not"""
    jump: Annotated[tuple[SshServer, ...], LIST] = ()
    """jump hosts, the nearest first"""
    listen: Port = 5006
    """the port that people use, on localhost of that side"""
    target_host: Host = "localhost"
    """the host that it leads to, as the far end reaches it"""
    target_port: Port | None = None
    """the port there; default: the first instance's"""
    identity: AbsolutePath | None = None
    """the private key; default: `tunnel_key` in `paths.etc`"""
    known_hosts: AbsolutePath | None = None
    """the other side's public keys; default: `known_hosts` in `paths.etc`"""
    user: User | None = None
    """the local user that runs it; default: the service's"""
    alive_interval_s: Annotated[int, whole(1, 3600)] = 15
    """how often to probe the connection"""
    alive_count: Annotated[int, whole(1, 100)] = 3
    """how many probes may stay unanswered"""


class Paths(Model):
    """Where things are on a host."""

    command: Annotated[tuple[Word, ...], Field(min_length=1), LIST] | None = None
    """the command `app-server`; default: `/opt`, the deployment's name and `/bin/app-server`"""
    apps: AbsolutePath | None = None
    """the folder of the applications; default: /srv and the deployment's name"""
    etc: AbsolutePath | None = None
    """generated files and secrets; default: /etc and the deployment's name"""
    run: AbsolutePath | None = None
    """sockets; default: /run and the deployment's name"""
    state: AbsolutePath | None = None
    """the server's own data; default: /var/lib and the deployment's name"""
    static: AbsolutePath | None = None
    """a copy of BokehJS for the proxy; default: /usr/share, the deployment's name and /static"""
    mode: Mode = "0640"
    """the permissions of generated files that name where secrets are"""
