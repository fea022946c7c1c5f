"""gunicorn's configuration: a Python file for each instance, with its applications, settings and address."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from app_server.deployment.plan.values import Instance, Plan
from app_server.deployment.render import File, Files
from app_server.deployment.render.templates import Quoted, environment, header, settings
from app_server.deployment.render.unwritable import refused
from app_server.errors import OperatorError
from app_server.security.hostnames import bracketed
from app_server.settings import Arity, all_settings
from app_server.sources.routes import route_by_name

# As `app-server serve` takes an application with a route of its own.
_ROUTED = re.compile(r"(/[A-Za-z0-9._~/-]*)=(.+)")
FACTORY = "app_server.gunicorn:app"
# gunicorn listens itself, and has processes of its own.
_GUNICORNS = {
    "--port", "--address", "--unix-socket", "--num-procs", "--drain", "--drain-deadline", "--hang-timeout",
    "--ssl-certfile", "--ssl-keyfile",
}  # fmt: skip


def wanted(plan: Plan) -> bool:
    """Whether instances run under gunicorn."""
    return plan.spec.service.manager == "gunicorn"


def literal(value: object) -> Quoted:
    """A value as Python spells it; text is ASCII, so every editor shows it as it is."""
    if isinstance(value, str) and not value.isprintable():
        raise refused(value, "gunicorn's configuration")
    return Quoted(_double(value) if isinstance(value, str) else ascii(value))


def literals(values: tuple[str, ...]) -> Quoted:
    """A list, one value a line."""
    return Quoted("[\n" + "".join(f"    {literal(value)},\n" for value in values) + "]")


def _double(text: str) -> str:
    """In double quotes, as the rest of the file has them."""
    shown = ascii(text)
    return shown if '"' in text else f'"{shown[1:-1]}"' if shown[0] == "'" else shown


def whole(number: object) -> Quoted:
    """Seconds as a whole number, rounded up."""
    return Quoted(math.ceil(float(str(number))))


FILTERS = {"literal": literal, "literals": literals, "whole": whole}


def render(plan: Plan) -> Files:
    """A configuration for each instance."""
    files = {}
    for instance in plan.instances:
        name = f"{instance.name}.conf.py"
        install = f"{plan.paths.etc}/gunicorn/{name}"
        files[f"gunicorn/{name}"] = File(render_instance(plan, instance), install=install, host=instance.host or None)
    return files


def render_instance(plan: Plan, instance: Instance) -> str:
    """The configuration of one instance."""
    return (
        environment("gunicorn", FILTERS)
        .get_template("instance.conf")
        .render(
            **settings(plan),
            header=header(plan, "gunicorn"),
            instance=instance,
            application=application(instance),
            bind=bind(instance),
            environment=tuple(_environment(plan)),
            direct_tls=plan.tls is not None and not plan.has_proxy,
        )
    )


def bind(instance: Instance) -> str:
    """Where gunicorn listens."""
    if instance.unix_socket is not None:
        return f"unix:{instance.unix_socket}"
    address = dict(_flags(instance)).get("--address", ("0.0.0.0",))[0]
    return f"{bracketed(address)}:{instance.port}"


def application(instance: Instance) -> str:
    """The call that makes the application, as gunicorn's command line takes it: only literals."""
    words = _sources(instance.apps)
    words += [f"{name}={value!r}" for name, value in keywords(instance).items()]
    return f"{FACTORY}({', '.join(words)})"


def _sources(apps: tuple[str, ...]) -> list[str]:
    """The applications as arguments; if one has a route of its own, a dictionary from routes to paths."""
    routed = [_ROUTED.fullmatch(app) for app in apps]
    if not any(routed):
        return [repr(app) for app in apps]
    paths = {
        found[1] if found else route_by_name(app): found[2] if found else app
        for app, found in zip(apps, routed, strict=True)
    }
    return [repr(paths)]


def keywords(instance: Instance) -> Mapping[str, Any]:
    """The flags of an instance's command as keywords, but for what is gunicorn's own business."""
    by_flag = {setting.flag: setting for setting in all_settings() if setting.flag is not None}
    found: dict[str, Any] = {}
    for flag, values in _flags(instance):
        if flag in _GUNICORNS:
            continue
        if flag not in by_flag:
            raise OperatorError("is not known to this version of the server", where=flag, hint="Leave it out.")
        setting = by_flag[flag]
        if setting.arity is Arity.SWITCH:
            found[setting.name] = True
        elif setting.arity is Arity.ONE:
            found[setting.name] = values[0]
        else:
            found[setting.name] = [*found.get(setting.name, []), *values]
    return found


def _flags(instance: Instance) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Flags with the words that belong to each; --args has all that follow."""
    flag: str | None = None
    values: list[str] = []
    for word in instance.flags:
        if word.startswith("--") and flag != "--args":
            if flag is not None:
                yield flag, tuple(values)
            flag, values = word, []
        else:
            values.append(word)
    if flag is not None:
        yield flag, tuple(values)


def _environment(plan: Plan) -> Iterator[str]:
    yield from (f"{name}={value}" for name, value in sorted(plan.spec.service.environment.items()))
