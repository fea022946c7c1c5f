"""systemd's units: a template of an instance for each pool, a target for all of them, and a file for each instance.

The same units work on every host; those that are enabled there say which instances a host has.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app_server.deployment.plan.values import Instance, Plan, PlannedSecret, Pool
from app_server.deployment.render import File, Files
from app_server.deployment.render.templates import Quoted, environment, header, settings
from app_server.deployment.render.unwritable import refused
from app_server.errors import OperatorError

UNITS = "/etc/systemd/system"
STATE = "/var/lib/"
FIRST_UNPRIVILEGED_PORT = 1024
# Flags whose values differ from instance to instance, and the variables that hold them.
OWN_VARIABLES = {
    "--address": "INSTANCE_ADDRESS", "--port": "INSTANCE_PORT", "--console": "INSTANCE_CONSOLE",
    "--console-peers": "INSTANCE_CONSOLE_PEERS",
}  # fmt: skip
# What needs no quotes in a word of ExecStart and of Environment.
_NOT_IN_PATHS = "\"'\\:"
_PLAIN = re.compile(r"[A-Za-z0-9_./:@+=,~^*?\[\]-]+")


@dataclass(frozen=True)
class LoadedUnits:
    """A secret that systemd reads for the service; without `path` from its folders of credentials."""

    id: str
    variable: str
    path: str | None
    encrypted: bool


def wanted(plan: Plan) -> bool:
    """Whether systemd starts the instances; it also starts gunicorn."""
    return plan.spec.service.manager in ("systemd", "gunicorn")


def word(value: object) -> Quoted:
    """A value as one word that means itself: no specifier, no variable, no escape."""
    text = str(value).replace("\\", "\\\\").replace("%", "%%").replace("$", "$$")
    return _quoted(text, value)


def _assignment(value: object) -> Quoted:
    """The same where variables are not replaced, as in Environment."""
    return _quoted(str(value).replace("\\", "\\\\").replace("%", "%%"), value)


def specified(value: object) -> Quoted:
    """A path of ours with specifiers of systemd's in it."""
    return _quoted(str(value), value)


def _quoted(text: str, value: object) -> Quoted:
    if not str(value).isprintable():
        raise refused(value, "systemd's units")
    if text and _PLAIN.fullmatch(text.replace("%", "").replace("$", "")) and text != ";":
        return Quoted(text)
    escaped = text.replace('"', '\\"')
    return Quoted(f'"{escaped}"')


def path(value: object) -> Quoted:
    """A path where systemd takes the rest of the line: spaces are part of it, and quotes are not quotes."""
    text = str(value)
    if not text.isprintable() or set(text) & set(_NOT_IN_PATHS):
        raise refused(value, "systemd's units", _NOT_IN_PATHS)
    return Quoted(text.replace("%", "%%"))


def comment(value: object) -> Quoted:
    """A name that the deployment's grammar has checked already."""
    text = str(value)
    if not re.fullmatch(r"[A-Za-z0-9_.@-]+", text):
        raise refused(value, "systemd's units", re.sub(r"[A-Za-z0-9_.@-]", "", text))
    return Quoted(text)


def seconds(value: object) -> Quoted:
    """A duration as systemd writes it, without a unit."""
    return Quoted(f"{float(str(value)):g}")


FILTERS = {
    "seconds": seconds, "argument": word, "word": _assignment, "path": path, "specified": specified, "comment": comment,
}  # fmt: skip


def unit_of(plan: Plan, instance: Instance) -> str:
    """The name of an instance's service, such as app-server@a1.service."""
    stem = plan.name if instance.pool == plan.main_pool.name else f"{plan.name}-{instance.pool}"
    return f"{stem}@{instance.name}.service"


def render(plan: Plan) -> Files:
    """A template for each pool, the target, and a file of variables for each instance."""
    jinja = environment("systemd", FILTERS)
    common = {**settings(plan), "header": header(plan, "systemd")}
    files: dict[str, File] = {}

    def add(name: str, template: str, values: Mapping[str, Any], install: str, host: str | None = None) -> None:
        text = jinja.get_template(template).render({**common, **values})
        files[f"systemd/{name}"] = File(text, install=install, host=host)

    for pool in plan.pools:
        unit = f"{_stem(plan, pool)}@.service"
        add(unit, "server@.service", _values(plan, pool), f"{UNITS}/{unit}")
    target = f"{plan.name}.target"
    units = [unit_of(plan, instance).removesuffix(".service") for instance in plan.instances]
    add(target, "all.target", {"units": units}, f"{UNITS}/{target}")
    if plan.spec.service.manager == "systemd":
        for instance in plan.instances:
            own = dict(_own_variables(instance))
            if own:
                path, host = f"instances/{instance.name}.env", instance.host or None
                add(path, "instance.env", {"variables": own.items()}, f"{plan.paths.etc}/{path}", host)
    return files


def _stem(plan: Plan, pool: Pool) -> str:
    return plan.name if pool.is_main else f"{plan.name}-{pool.name}"


def _values(plan: Plan, pool: Pool) -> Mapping[str, Any]:
    service, first = plan.spec.service, pool.instances[0]
    sockets = plan.spec.instances.socket_dir
    run = sockets if sockets and sockets.startswith("/run/") else plan.paths.run
    runtime_dir = run.removeprefix("/run/").strip("/") if run.startswith("/run/") else plan.name
    folders = [sockets] if sockets and sockets != run else []
    audit = plan.spec.console.audit
    folders += [posixpath.dirname(audit)] if audit is not None else []
    state_dir, made = _saved_in(plan)
    gunicorn = service.manager == "gunicorn"
    return {
        "example": f"{_stem(plan, pool)}@{first.name}",
        "command": _gunicorn(plan) if gunicorn else _command(pool),
        "has_files": not gunicorn and any(True for _ in _own_variables(first)),
        "instances_dir": f"{plan.paths.etc}/instances",
        "variables": sorted((service.environment if gunicorn else plan.variables).items()),
        "loaded": [_loaded(secret) for secret in plan.secrets if secret.environment is None],
        "passed": [_passed(secret) for secret in plan.secrets if secret.environment is not None],
        "runtime_dir": runtime_dir,
        "state_dir": state_dir,
        "made": made,
        "make": f'test -e "$0" || install -d -m 0700 -o {plan.user} -g {plan.group} "$0"',
        "writable": folders,
        "privileged_port": any(not i.unix_socket and i.port < FIRST_UNPRIVILEGED_PORT for i in pool.instances),
        "cpu_percent": round(100 * service.cpus) if service.cpus else 0,
        # Applications in a home directory are read there.
        "protect_home": Quoted("read-only" if plan.paths.apps.startswith(("/home/", "/root")) else "yes"),
    }


def _saved_in(plan: Plan) -> tuple[str | None, str | None]:
    """The folder of saved sessions: below /var/lib, where systemd makes it, or an absolute path."""
    folder = plan.store.folder
    below = folder.removeprefix(STATE).strip("/") if folder is not None and folder.startswith(STATE) else ""
    return (below, None) if below else (None, folder)


def _command(pool: Pool) -> Quoted:
    """The words of ExecStart: what instances have for themselves becomes a variable, their name becomes %i."""
    first = pool.instances[0]
    words: list[str] = []
    before = ""
    for number, text in enumerate(first.command):
        others = [instance.command[number] for instance in pool.instances]
        if before in OWN_VARIABLES:
            words.append(f"${{{OWN_VARIABLES[before]}}}")
        elif before in ("--route", "--unix-socket") and all(
            other.count(instance.name) for other, instance in zip(others, pool.instances, strict=True)
        ):
            start, _, end = text.rpartition(first.name)
            words.append(f"{word(start) if start else ''}%i{word(end) if end else ''}")
        else:
            words.append(word(text))
        before = text
    return Quoted(" ".join(words))


def _own_variables(instance: Instance) -> Iterator[tuple[str, str]]:
    before = ""
    for text in instance.command:
        if before in OWN_VARIABLES:
            yield OWN_VARIABLES[before], text
        before = text


def _gunicorn(plan: Plan) -> Quoted:
    program = plan.paths.command[0]
    found = posixpath.join(posixpath.dirname(program), "gunicorn")
    return Quoted(f"{word(found)} -c {specified(f'{plan.paths.etc}/gunicorn/%i.conf.py')}")


def _loaded(secret: PlannedSecret) -> LoadedUnits:
    if secret.credential is not None:
        return LoadedUnits(secret.credential, secret.variable, None, encrypted=True)
    return LoadedUnits(secret.name, secret.variable, secret.file, encrypted=False)


def _passed(secret: PlannedSecret) -> str:
    """The variable, which systemd hands on as it is called."""
    if secret.environment != secret.variable:
        hint = f"Call it {secret.variable}, or name a file or a credential."
        raise OperatorError(
            f"systemd cannot hand on {secret.environment} under the name {secret.variable}",
            where=f"secrets.{secret.name}.environment", hint=hint,
        )  # fmt: skip
    return secret.variable
