"""`app-server tunnel`: reach a server through SSH."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial

from app_server.cli.command import Command, Flag, Word, switch
from app_server.cli.deployments.flags import OF_A_FILE, dashed
from app_server.cli.deployments.loading import need_deployment_packages, plan_of, read
from app_server.cli.terminal import say
from app_server.errors import OperatorError
from app_server.settings import Arity
from app_server.tunnels.description import (
    ALIVE_COUNT,
    ALIVE_INTERVAL_S,
    PORT,
    Form,
    Tunnel,
    read_place,
    read_places,
    read_port,
)
from app_server.tunnels.guide import config_file, gateway_file, guide

_DESCRIBED = "Without a file"


def _described(name: str, metavar: str, help: str, default: str = "", arity: Arity = Arity.ONE) -> Flag:
    return Flag(names=(name,), metavar=metavar, help=help, default=default, arity=arity, group=_DESCRIBED)


DESCRIBED = (
    switch("--reverse", "HOST is a gateway that publishes the server of this host", group=_DESCRIBED),
    _described("--port", "N", "the server's port", str(PORT)),
    _described("--listen", "N", "the port of localhost that leads to it, here or on the gateway", "that of --port"),
    _described("--via", "USER@HOST", "a jump host on the way", arity=Arity.REPEATED),
    _described("--identity", "FILE", "the private key", "what ssh finds"),
    _described("--known-hosts", "FILE", "the keys of trusted hosts", "what ssh finds"),
    _described("--alive-interval", "SECONDS", "how often to probe the connection", f"{ALIVE_INTERVAL_S}"),
    _described("--alive-count", "N", "how many unanswered probes end the connection", f"{ALIVE_COUNT}"),
)
"""The flags that describe a tunnel without a file."""


def unit_file(tunnel: Tunnel) -> str:
    """The systemd unit of a tunnel that is to stay."""
    need_deployment_packages()
    from app_server.deployment.render.services.ssh import standalone_unit

    return standalone_unit(tunnel)


SHOWN: Mapping[str, Callable[[Tunnel], str]] = {
    "commands": guide, "config": config_file, "unit": unit_file, "gateway": gateway_file,
}  # fmt: skip
"""What `--show` prints of a tunnel."""


COMMAND = Command(
    forms=("USER@HOST [flags]", "-f deploy.yaml [NAME] [--run | --show WHAT]"),
    text="Reach a server through SSH: print the commands, or keep the tunnel open.",
    examples=("app-server tunnel ann@server.example.com --run",),
    words=(Word(name="server", metavar="USER@HOST", help="the host that ssh connects to; with -f, a tunnel's name"),),
    flags=(
        switch("--run", "open the tunnel, and reopen it whenever it breaks, until Ctrl-C"),
        Flag(names=("--show",), metavar="WHAT", help="what to print", choices=dict.fromkeys(SHOWN, ""),
             default="commands"),
        *OF_A_FILE,
        *DESCRIBED,
    ),
)  # fmt: skip


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What prints the tunnel, or runs it."""
    tunnels = from_file(namespace) if "file" in namespace or "environment" in namespace else [described(namespace)]
    if "run" in namespace:
        if len(tunnels) > 1:
            names = ", ".join(tunnel.name for tunnel in tunnels)
            raise OperatorError("can open only one tunnel", where="--run", hint=f"Name one of {names}.")
        return partial(keep, tunnels[0])
    shown = getattr(namespace, "show", ["commands"])[0]
    return partial(tell, "\n\n".join(SHOWN[shown](tunnel) for tunnel in tunnels))


def from_file(namespace: argparse.Namespace) -> list[Tunnel]:
    """The tunnels of a deployment, or the one that is named."""
    need_deployment_packages()
    from app_server.deployment.render.services.ssh import tunnels_of

    for name in (flag.name for flag in DESCRIBED):
        if name in namespace:
            raise OperatorError("has no meaning with -f", where=dashed(name), hint="Leave it out, or leave out -f.")
    loaded = read(namespace)
    tunnels = list(tunnels_of(plan_of(loaded, "host", ())))
    names = [tunnel.name for tunnel in tunnels]
    if not tunnels:
        raise OperatorError("has no tunnels", where=loaded.file, hint="Add them below the key tunnels.")
    if not namespace.server:
        return tunnels
    if namespace.server not in names:
        hint = f"There are {', '.join(names)}." if len(names) > 1 else f"There is {names[0]}."
        raise OperatorError(f"has no tunnel {namespace.server[:40]!r}", where=loaded.file, hint=hint)
    return [tunnels[names.index(namespace.server)]]


def described(namespace: argparse.Namespace) -> Tunnel:
    """The tunnel that the flags describe."""
    if not namespace.server:
        raise OperatorError("no host", where="tunnel", hint="For example: app-server tunnel USER@HOST")
    destination = read_place(namespace.server, "HOST")
    port = read_port(namespace.port[0], "--port") if "port" in namespace else PORT
    return Tunnel(
        # As the name of a Host and of a unit, which a colon would break.
        name=re.sub(r"[^A-Za-z0-9_.-]", "-", f"tunnel-{destination.host}"),
        destination=destination,
        form=Form.REVERSE if "reverse" in namespace else Form.LOCAL,
        target_port=port,
        listen_port=read_port(namespace.listen[0], "--listen") if "listen" in namespace else port,
        via=read_places(getattr(namespace, "via", []), "--via"),
        identity=_file(namespace, "identity"),
        known_hosts=_file(namespace, "known_hosts"),
        alive_interval_s=_count(namespace, "alive_interval", ALIVE_INTERVAL_S),
        alive_count=_count(namespace, "alive_count", ALIVE_COUNT),
    )


def keep(tunnel: Tunnel) -> int:
    """Keep the tunnel open until SIGINT or SIGTERM."""
    from app_server.tunnels.keeper import TunnelKeeper

    return TunnelKeeper(tunnel, _status, interactive=sys.stdin.isatty()).run()


def tell(text: str) -> int:
    """Print what was asked for."""
    say(text)
    return 0


def _status(line: str) -> None:
    print(f"tunnel: {line}", file=sys.stderr, flush=True)


def _count(namespace: argparse.Namespace, name: str, default: int) -> int:
    if name not in namespace:
        return default
    word = getattr(namespace, name)[0]
    if not re.fullmatch(r"[1-9][0-9]{0,3}", word):
        raise OperatorError(f"expected a whole number from 1 to 9999, not {word[:40]!r}", where=dashed(name))
    return int(word)


def _file(namespace: argparse.Namespace, name: str) -> str | None:
    """The path of an existing file. ssh would only warn of a missing one, and try others."""
    if name not in namespace:
        return None
    path: str = os.path.abspath(os.path.expanduser(getattr(namespace, name)[0]))
    if not os.path.isfile(path):
        raise OperatorError(f"{path} is not a file", where=dashed(name), hint="Check the path.")
    if re.search(r'["\\%\x00-\x1f\x7f$]', path):
        raise OperatorError(
            "contains characters with a special meaning for ssh", where=dashed(name), hint="Rename the file."
        )
    return path
