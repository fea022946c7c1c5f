"""compose.yaml: the proxy in front of named instances, on one machine, and what the proxy's image is built with.

Proxy and instances meet at sockets in a volume: these keep their names when a container is replaced, and nothing but
the proxy reaches an instance.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from app_server.deployment.contained import BASE
from app_server.deployment.plan.site import certificate_stem, published_port
from app_server.deployment.plan.values import Instance, Plan
from app_server.deployment.render import File, Files
from app_server.deployment.render import render as render_target
from app_server.deployment.render.containers import certbot
from app_server.deployment.render.templates import Quoted, environment, header, settings
from app_server.deployment.render.unwritable import refused
from app_server.errors import OperatorError
from app_server.security.hostnames import bracketed

# The proxy's configuration, in the context of its image.
CONFIGURATION = "docker/{kind}/site"
TMP_MB = 64
# Memory in MB, and processes with threads: nginx has a process for each core of the machine, Apache holds a thread for
# each open page.
PROXY_LIMITS = {"nginx": (256, 512), "apache": (1024, 10_000), "none": (0, 0)}
PROXY_MAINS = ("nginx.conf", "apache2.conf")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
# A plain scalar of YAML that no reader takes for anything but a string.
_PLAIN = re.compile(r"(?!(?i:y|yes|n|no|true|false|on|off|null|nan|inf)$)(--)?[A-Za-z_/][A-Za-z0-9_./-]*")


def wanted(plan: Plan) -> bool:
    """`all` is for hosts; containers must be requested."""
    return False


def quote(value: object) -> Quoted:
    """A string of YAML, in which compose finds no variable. OperatorError for control characters."""
    text = str(value)
    if not text.isprintable():
        raise refused(value, "compose.yaml")
    return Quoted(text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False).replace("$", "$$"))


def single(value: object) -> Quoted:
    """The same in single quotes, for text that is full of double ones."""
    text = str(value)
    if not text.isprintable():
        raise refused(value, "compose.yaml")
    return Quoted("'" + text.replace("'", "''").replace("$", "$$") + "'")


def script(value: object, indent: int) -> Quoted:
    """A shell's script as a block of YAML, in which compose finds no variable. OperatorError for other characters."""
    lines = str(value).rstrip("\n").split("\n")
    if not all(line.isprintable() for line in lines):
        raise refused(value, "compose.yaml")
    return Quoted("|\n" + "\n".join(" " * indent + line if line else "" for line in lines).replace("$", "$$"))


def seconds(value: object) -> Quoted:
    """A duration as compose writes it."""
    return Quoted(f"{float(str(value)):g}s")


def render(plan: Plan) -> Files:
    """compose.yaml, and the proxy's configuration where its Dockerfile takes it from."""
    _refuse(plan)
    jinja = environment("compose", {"y": quote, "single": single, "script": script, "seconds": seconds})
    text = jinja.get_template("compose.yaml").render({**settings(plan), **_values(plan)})
    files = {"compose.yaml": File(text)}
    if plan.has_proxy:
        files.update(proxy_files(plan))
    return files


def proxy_files(plan: Plan) -> dict[str, File]:
    """What the proxy's image is built with, by paths in the build's context."""
    kind = plan.spec.proxy.kind
    folder = CONFIGURATION.format(kind=kind)
    return {f"{folder}/{path.removeprefix(f'{kind}/')}": file for path, file in render_target(kind, plan).items()}


def _refuse(plan: Plan) -> None:
    """Raise OperatorError for what containers on one machine cannot have."""
    if plan.tls is not None and plan.tls.mode == "acme" and not plan.has_proxy:
        raise OperatorError("a certificate by ACME needs a proxy", where="tls.mode", hint="Set proxy: nginx.")
    for secret in plan.secrets:
        if secret.credential is not None:
            hint = "Use a file or a variable."
            raise OperatorError("containers have no systemd credentials", where=secret.key, hint=hint)
    if not plan.has_proxy and len(plan.instances) > 1:
        hint = "Use a proxy, or instances: 1."
        raise OperatorError("several instances cannot share one port", where="proxy", hint=hint)


def _values(plan: Plan) -> Mapping[str, Any]:
    containers = plan.spec.containers
    tls = plan.spec.tls
    made = plan.contained
    stem = certificate_stem(plan.site.hosts[0])
    return {
        "header": header(plan, "compose"),
        "contained": made,
        "contents": contents(plan),
        "site_folder": f"./{CONFIGURATION.format(kind=plan.spec.proxy.kind)}",
        "mounted": tuple(_mounted(plan)) if made.mounts_configuration else (),
        "proxy_memory_mb": PROXY_LIMITS[plan.spec.proxy.kind][0],
        "proxy_pids": PROXY_LIMITS[plan.spec.proxy.kind][1],
        "grace_s": containers.grace_s or plan.stop_timeout_s,
        "tmp_mb": TMP_MB,
        "ports": tuple(_ports(plan)),
        "has_volume": plan.store.folder is not None and plan.store.mounted is None,
        "secrets": plan.secrets,
        "certificate": tls.certificate or f"{made.certificates}/{stem}.pem",
        "certificate_key": tls.key or tls.certificate or f"{made.certificates}/{stem}.key",
        "certbot": certbot.values(plan),
        "lines": partial(instance_lines, plan),
        "listen": _listen,
        "environment": lambda instance: tuple(variables(plan)),
    }


def contents(plan: Plan) -> str:
    """What docker/app-server/Dockerfile takes of the applications' folder, as JSON."""
    about = {
        "apps": [app.path for app in plan.apps],
        "whole": plan.contained.is_whole,
        "include": list(plan.include),
        "requirements": list(plan.spec.requirements),
        "never": list(plan.contained.never),
    }
    return json.dumps({key: value for key, value in about.items() if value or key == "whole"}, ensure_ascii=False)


def _mounted(plan: Plan) -> Iterator[tuple[str, str]]:
    """The files of the proxy's configuration beside compose.yaml, and where the container has them."""
    for path, file in proxy_files(plan).items() if plan.has_proxy else ():
        yield f"./{path}", place_of(file)


def place_of(file: File) -> str:
    """Where a proxy's container has a file that it is given: the site's in the place of that which its image has."""
    assert file.install is not None
    folder, _, name = file.install.rpartition("/")
    return file.install if name in PROXY_MAINS else f"{folder}/{BASE}.conf"


def published_address(plan: Plan) -> str | None:
    """The host's address that ports are published at; None for all.

    A site whose only names are this machine's own answers no other one, which would find an open port and no answer.
    """
    stated = plan.spec.containers.publish.address
    return stated or ("127.0.0.1" if set(plan.site.hosts) <= LOOPBACK else None)


def _ports(plan: Plan) -> Iterator[tuple[str, int]]:
    """What the host publishes, and the container's port."""
    address = published_address(plan)
    begin = f"{bracketed(address)}:" if address else ""
    if not plan.has_proxy:
        yield f"{begin}{published_port(plan.spec, plan.site.scheme)}", plan.instances[0].port
        return
    yield f"{begin}{published_port(plan.spec, 'http')}", plan.listen_http
    if plan.tls is not None:
        yield f"{begin}{published_port(plan.spec, 'https')}", plan.listen_https


def instance_lines(plan: Plan, instance: Instance) -> tuple[tuple[str, ...], ...]:
    """The words after the image's own: the applications, and each flag with what belongs to it."""
    lines: list[tuple[str, ...]] = [(*manager_words(plan), *instance.apps)]
    for word in instance.flags:
        if word.startswith("--"):
            lines.append((word,))
        else:
            lines[-1] += (word,)
    return tuple(lines)


def manager_words(plan: Plan) -> tuple[str, ...]:
    """The words that put an instance under gunicorn, if the deployment says so."""
    service = plan.spec.service
    return ("gunicorn", "--num-procs", str(service.workers)) if service.manager == "gunicorn" else ()


def _listen(instance: Instance) -> str:
    """Where the health check of an instance looks for it."""
    return f"unix:{instance.unix_socket}" if instance.unix_socket else str(instance.port)


def variables(plan: Plan) -> Iterator[tuple[str, str]]:
    """Variables of the instances: of secrets only where their files are."""
    for secret in plan.secrets:
        yield f"{secret.variable}_FILE", f"/run/secrets/{secret.name}"
    yield from plan.spec.service.environment.items()
