"""`app-server init FILE_OR_DIR ...`: write a first deploy.yaml, from answers at a terminal or from flags."""

from __future__ import annotations

import argparse
import os
import shlex
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app_server.cli.command import Command, Flag, Word, choices, switch
from app_server.cli.deployments.flags import DEFAULT_FILE, PREFIX, PROXIES, SERVER_NAME, dashed
from app_server.cli.deployments.loading import need_deployment_packages
from app_server.cli.terminal import note, say
from app_server.errors import OperatorError, OperatorErrors
from app_server.files import write_atomically

if TYPE_CHECKING:
    from app_server.deployment.scaffold import Found, Wishes

FLAGS = {
    "name": "name", "public": "server_name", "public.hosts": "server_name", "public.prefix": "prefix",
    "instances": "instances", "instances.count": "instances", "instances.port": "port", "proxy": "proxy",
    "proxy.kind": "proxy", "tls": "tls", "tls.mode": "tls", "tls.certificate": "tls_cert", "tls.key": "tls_key",
    "tls.acme": "email",
}  # fmt: skip
"""The flag that gives each key of a first file, as argparse names it."""

MOST_INSTANCES, LAST_PORT = 512, 65535
FIRST_PORT = 5100
NEXT_PORTS = range(5100, 5900, 100)

COMMAND = Command(
    forms=("[FILE_OR_DIR ...] [flags]",),
    text="Look at the applications, by default those of the current folder, ask at a terminal what is not known, and "
    "write a first deploy.yaml.",
    examples=("app-server init myapp.py", "app-server init myapp.py --server-name www.example.com --tls acme --yes"),
    words=(Word(name="files", metavar="FILE_OR_DIR", help="a script, notebook or directory", many=True),),
    flags=(
        Flag(names=("-o", "--output"), metavar="FILE", help="the file to write; an existing one is never overwritten",
             default=DEFAULT_FILE),
        Flag(names=("--name",), metavar="NAME", help="what units and folders are named after"),
        SERVER_NAME,
        PREFIX,
        Flag(names=("--instances",), metavar="N", help="the number of instances", default="1"),
        Flag(names=("--port",), metavar="PORT", help="the first instance's port", default=str(FIRST_PORT)),
        Flag(names=("--proxy",), metavar="KIND", help="the web server in front", choices=PROXIES, default="nginx"),
        Flag(names=("--tls",), metavar="MODE", help="where the certificate comes from",
             choices=choices("off", "files", "acme", "development"), default="off"),
        Flag(names=("--tls-cert",), metavar="FILE", help="the certificate, for files"),
        Flag(names=("--tls-key",), metavar="FILE", help="its private key"),
        Flag(names=("--email",), metavar="ADDRESS", help="where an ACME authority writes to"),
        switch("--yes", "ask nothing, use the defaults"),
    ),
)  # fmt: skip


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What asks and writes, after the applications have been inspected."""
    need_deployment_packages()
    output = Path(namespace.output[0] if "output" in namespace else DEFAULT_FILE)
    refuse_existing(output)
    from app_server.deployment.scaffold import candidates, inspect

    apps = [inspect(path) for path in namespace.files] or candidates(Path())
    if not apps:
        raise OperatorError("there is no application in this folder", hint="For example: app-server init myapp.py")
    asks = "yes" not in namespace and sys.stdin.isatty()
    wishes = wished(namespace)
    if wishes.tls == "files" and wishes.certificate is None and not asks:
        raise OperatorError("files needs a certificate", where="--tls", hint="Give --tls-cert and --tls-key.")
    return partial(run, apps, wishes, namespace, output, asks=asks)


def refuse_existing(output: Path) -> None:
    """Raise OperatorError if the path exists."""
    if os.path.lexists(output):
        raise OperatorError("is there already", where=str(output), hint="Edit it, or choose another --output.")
    if not output.parent.is_dir():
        raise OperatorError(f"there is no folder {output.parent}", where=str(output))


def run(apps: Sequence[Found], wishes: Wishes, namespace: argparse.Namespace, output: Path, *, asks: bool) -> int:
    """Ask, write, and say what comes next; 0."""
    from app_server.deployment.scaffold import scaffold_file

    if asks:
        wishes = asked(apps, wishes, namespace)
    if wishes.port is None and wishes.proxy != "none":
        port = next((port for port in NEXT_PORTS if are_free(port, wishes.instances)), FIRST_PORT)
        wishes = replace(wishes, port=None if port == FIRST_PORT else port)
    relative = [replace(app, path=path_from(app.path, output.parent)) for app in apps]
    text = scaffold_file(relative, wishes)
    write_checked(output, text, namespace)
    say(text.removesuffix("\n"))
    for app in apps:
        if missing := app.missing():
            note(f"app-server: note: {app.path} imports {', '.join(missing)}, which is not installed here")
    say(f"\n{output} is written. Next steps:")
    for words, about in next_steps(output):
        say(f"  {words:<44}  {about}")
    return 0


def write_checked(output: Path, text: str, namespace: argparse.Namespace) -> None:
    """Write the file. OperatorErrors if it describes no valid deployment; then it is removed again."""
    from app_server.deployment.load import load

    write_new(output, text)
    try:
        judge(load(output))
    except OperatorError as error:
        output.unlink()
        faults = error.faults if isinstance(error, OperatorErrors) else (error,)
        raise OperatorErrors([as_typed(fault, output, namespace) for fault in faults]) from None


def next_steps(output: Path) -> Sequence[tuple[str, str]]:
    """Commands that work with the file as it is, and what each does."""
    file = "" if output == Path(DEFAULT_FILE) else f" -f {shlex.quote(str(output))}"
    return (
        (f"app-server config all{file} --check", "have nginx and systemd try what would be written"),
        (f"app-server config all{file} --output out", "write it"),
        (f"app-server deploy compose{file}", "serve it in containers on this machine"),
        (f"app-server image{file}", "make an image, for a swarm or Kubernetes"),
    )


def judge(loaded: Any) -> None:
    """Raise OperatorErrors if the deployment breaks a rule."""
    from app_server.deployment.plan.resolver import resolve_plan
    from app_server.deployment.rules import enforce

    enforce(loaded, resolve_plan(loaded))


def as_typed(fault: OperatorError, output: Path, namespace: argparse.Namespace) -> OperatorError:
    """A fault of a file that was removed again: without its line, and with the flag that gave the value."""
    key = (fault.where or "").removeprefix(f"{output}:").partition(": ")[2]
    name = FLAGS.get(key.partition("[")[0])
    where = dashed(name) if name is not None and name in namespace else key
    return OperatorError(fault.what, where=where or None, hint=fault.hint)


def path_from(path: str, folder: Path) -> str:
    """The path as the file's readers will find it: below the folder of the file, if it is there."""
    try:
        found = os.path.relpath(os.path.abspath(path), os.path.abspath(folder))
    except ValueError:  # on another drive
        return os.path.abspath(path)
    return os.path.abspath(path) if found.startswith("..") else found.replace(os.sep, "/")


def wished(namespace: argparse.Namespace) -> Wishes:
    """What the flags say."""
    from app_server.deployment.scaffold import Wishes

    def one(name: str) -> str | None:
        return getattr(namespace, name)[0] if name in namespace else None

    wishes = Wishes(
        name=one("name"), prefix=one("prefix"), certificate=absolute(one("tls_cert")), key=absolute(one("tls_key")),
        email=one("email"), instances=whole(one("instances") or "1", MOST_INSTANCES, "--instances"),
        port=whole(one("port") or "", LAST_PORT, "--port") if "port" in namespace else None,
        proxy=one("proxy") or "nginx",
    )  # fmt: skip
    if "server_name" in namespace:
        wishes = replace(wishes, hosts=tuple(namespace.server_name))
    return replace(wishes, tls=one("tls") or ("files" if wishes.certificate else "off"))


def absolute(path: str | None) -> str | None:
    """An absolute path, for the file."""
    return None if path is None else os.path.abspath(path)


def whole(word: str, most: int, where: str) -> int:
    """A number from 1 to `most`. OperatorError for another word."""
    if not (word.isascii() and word.isdigit() and 0 < int(word[:6]) <= most):
        raise OperatorError(f"expected a whole number from 1 to {most}, not {word[:60]!r}", where=where)
    return int(word)


def asked(apps: Sequence[Found], wishes: Wishes, namespace: argparse.Namespace) -> Wishes:
    """The answers given at the terminal. Flags are not asked for."""
    for app in apps:
        print(f"  {app.path}: {app.kind}" + (f", imports {', '.join(app.imports)}" if app.imports else ""))
    if "server_name" not in namespace:
        hosts = ask("Which host name do people use?", socket.getfqdn())
        wishes = replace(wishes, hosts=tuple(hosts.replace(",", " ").split()))
    if "instances" not in namespace:
        wishes = replace(wishes, instances=whole(ask("How many instances?", "1"), MOST_INSTANCES, "instances"))
    if "proxy" not in namespace:
        wishes = replace(wishes, proxy=ask("Which web server is in front: nginx, apache or none?", "nginx"))
    if "tls" not in namespace and wishes.tls == "off":
        wishes = replace(wishes, tls=ask("TLS: off, files, acme or development?", "off"))
    if wishes.tls == "files" and wishes.certificate is None:
        certificate = absolute(ask("The certificate's file?", "/etc/ssl/site.pem"))
        wishes = replace(wishes, certificate=certificate, key=absolute(ask("Its key's file?", "/etc/ssl/site.key")))
    if wishes.tls == "acme" and wishes.email is None:
        wishes = replace(wishes, email=ask("Contact e-mail address for the authority (optional)?", "") or None)
    return wishes


def ask(question: str, default: str) -> str:
    """An answer, the default for an empty one."""
    try:
        return input(f"{question} [{default}] ").strip() or default
    except EOFError:
        raise OperatorError("no more answers; nothing was written", where="stdin") from None


def are_free(first: int, count: int) -> bool:
    """Whether these loopback ports are free."""
    for port in range(first, first + count):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def write_new(output: Path, text: str) -> None:
    """Write a file that does not exist yet; whole, or not at all."""
    try:
        write_atomically(output, text, overwrite=False)
    except FileExistsError:
        raise OperatorError("is there already", where=str(output)) from None
    except OSError as error:
        raise OperatorError(f"cannot be written: {error.strerror}", where=str(output)) from None
