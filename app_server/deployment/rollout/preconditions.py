"""What must exist before a roll-out builds or starts anything."""

from __future__ import annotations

import os
import shlex
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

from app_server import system
from app_server.deployment.contained import BASE, LABEL
from app_server.deployment.plan.site import certificate_stem, published_port
from app_server.deployment.plan.values import Plan
from app_server.deployment.render.containers.compose import published_address
from app_server.deployment.render.kubernetes.objects import APP_UID, GROUP_ID
from app_server.deployment.rollout import docker
from app_server.deployment.rollout.docker import Project
from app_server.deployment.rollout.steps import PROXY
from app_server.errors import OperatorError
from app_server.settings import read_variables


def check_preconditions(plan: Plan, folder: Path) -> None:
    """OperatorError for a missing application, secret or certificate. Relative paths begin in `folder`."""
    # An image that was built elsewhere contains the applications; their folder may be on another machine.
    host = docker.elsewhere()
    if plan.contained.build_context or plan.contained.mount and host is None:
        _check_applications(plan, folder)
    made = plan.tls is not None and plan.tls.mode == "development" and plan.spec.tls.certificate is None
    if made and host is None:
        _check_certificate(plan, folder)
    _check_secrets(plan, folder, host)


def _check_applications(plan: Plan, folder: Path) -> None:
    apps = folder / (plan.contained.mount or plan.contained.source)
    if not apps.is_dir():
        hint = "Name the folder of the applications with containers.source."
        raise OperatorError("there is no such folder", where=str(apps), hint=hint)
    for app in plan.apps:
        if os.path.isabs(app.path):
            hint = f"Name it relative to {apps}."
            raise OperatorError("containers cannot see this path of the host", where=app.path, hint=hint)
        if not (apps / app.path).exists():
            # Older versions looked there without being asked to.
            beside = folder / "apps" / app.path
            known = "Set containers.source: apps, which is its folder." if beside.exists() else None
            raise OperatorError("there is no such file or folder", where=str(apps / app.path), hint=known)


def _check_certificate(plan: Plan, folder: Path) -> None:
    certificate = folder / plan.contained.certificates / f"{certificate_stem(plan.site.hosts[0])}.pem"
    if not certificate.is_file():
        words = ("app-server", "certificate", *plan.site.hosts, "--folder", str(certificate.parent))
        raise OperatorError("there is no such file", where=str(certificate), hint=f"Create it: {shlex.join(words)}")


def mounted(plan: Plan) -> Iterator[str]:
    """The files and folders of the engine's machine that containers get to see, as deploy.yaml names them."""
    yield from (secret.file for secret in plan.secrets if secret.file is not None)
    if plan.tls is not None and plan.tls.mode != "acme":
        yield plan.spec.tls.certificate or plan.contained.certificates
    if plan.contained.mount is not None:
        yield plan.contained.mount


def refuse_unreadable(file: Path, where: str) -> None:
    """OperatorError for a file whose mode keeps the containers' user out: compose mounts it as it is here."""
    about = file.stat()
    bits = [(0o004, True), (0o040, about.st_gid == GROUP_ID), (0o400, about.st_uid == APP_UID)]
    # Engines of other systems show files to every user of a container.
    if system.NAME == "Linux" and not any(applies and about.st_mode & bit for bit, applies in bits):
        name = shlex.quote(str(file))
        hint = f"For example: chgrp {GROUP_ID} {name} && chmod 0640 {name}"
        raise OperatorError(f"user {APP_UID} of the containers cannot read {file}", where=where, hint=hint)


def _check_secrets(plan: Plan, folder: Path, host: str | None) -> None:
    for secret in plan.secrets:
        if secret.is_of_applications and secret.file is not None and host is None:
            file = folder / (secret.source or secret.file)
            read_variables(str(file), secret.key)
            refuse_unreadable(file, secret.key)
            continue
        # An engine elsewhere reads its own machine's files.
        if secret.file is not None and host is None and not Path(secret.file).is_file():
            hint = "`app-server secret` creates one."
            raise OperatorError("there is no such file", where=secret.file, hint=hint)
        if secret.environment is not None and not os.environ.get(secret.environment):
            raise OperatorError(f"the variable {secret.environment} is not set", where=secret.key)


def refuse_foreign_images(plan: Plan) -> None:
    """OperatorError if an image of this name exists that app-server did not build."""
    made = plan.contained
    named = (("app", made.app), *((("proxy", made.proxy),) if plan.has_proxy else ()))
    for key, image in named:
        known = docker.inspected("image", [image])
        if known and not is_ours(known[0]["Config"].get("Labels") or {}):
            hint = f"Choose another name with containers.images.{key}, or remove it with `docker rmi`."
            raise OperatorError("exists already, and was not built by app-server", where=image, hint=hint)


def is_ours(labels: Mapping[str, str]) -> bool:
    """Whether an image has the labels that our Dockerfiles set."""
    return LABEL in labels or labels.get("org.opencontainers.image.title", "").startswith(BASE)


def refuse_taken_port(plan: Plan) -> None:
    """OperatorError if another program uses a port that the proxy needs."""
    if PROXY in Project(plan.name, [], Path()).running():
        return
    if docker.elsewhere() is not None:
        # The engine says so itself when it cannot publish a port.
        return
    address = published_address(plan) or ""
    for scheme in ("http", "https") if plan.tls is not None else ("http",):
        port = published_port(plan.spec, scheme)
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                where, holder = f"containers.publish.{scheme}", docker.project_at(port)
                what = f"port {port}: {error.strerror}" + (f" by the containers of {holder}" if holder else "")
                hint = f"Stop what listens there, or choose another {where}."
                if holder is not None and plan.name.startswith(f"{holder}-"):
                    hint = (
                        f"{plan.name} is a separate deployment beside {holder}: choose another {where} for it, "
                        f"or set `name: {holder}` to replace that one."
                    )
                raise OperatorError(what, where=where, hint=hint) from None
