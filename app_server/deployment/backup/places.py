"""What a backup of a deployment has besides sessions: its secrets, certificates and passwords, each by its role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from app_server.deployment.plan.site import certificate_stem
from app_server.deployment.plan.values import Plan

STORE_SECRET = "store"
"""The name of the secret that has the address of Redis."""


def files_of(plan: Plan, folder: Path) -> dict[str, Path]:
    """The files of a deployment by their roles. Relative paths begin in `folder`."""
    return {role: folder / path for role, path in _files(plan)}


def _files(plan: Plan) -> Iterator[tuple[str, str]]:
    for secret in plan.secrets:
        if secret.file is not None:
            yield secret.key, secret.file
    tls = plan.spec.tls
    if plan.tls is not None and plan.tls.mode == "files":
        if tls.certificate is not None:
            yield "tls.certificate", tls.certificate
        if tls.key is not None:
            yield "tls.key", tls.key
    elif plan.tls is not None and plan.tls.mode == "development" and plan.layout == "compose":
        begin = f"{plan.contained.certificates}/{certificate_stem(plan.site.hosts[0])}"
        yield "tls.certificate", f"{begin}.pem"
        yield "tls.key", f"{begin}.key"
    if plan.spec.access.basic is not None:
        yield "access.basic", plan.spec.access.basic.file


def left_out(plan: Plan) -> Iterator[str]:
    """What belongs to the deployment and is not in its backup, a line for each."""
    for secret in plan.secrets:
        if secret.file is None:
            place = f"variable {secret.environment}" if secret.environment else f"credential {secret.credential}"
            yield f"{secret.key} is not in a file, but in the {place}: keep a copy of it"
    if plan.tls is not None and plan.tls.mode == "acme":
        yield "the certificate is not included: certbot gets another one"
    if plan.store.kind == "off":
        yield "sessions are not saved by this deployment (sessions.store)"


def store_words(plan: Plan) -> list[str]:
    """The flags that name the deployment's store, for a command that runs beside an instance; none if that knows."""
    words = [] if plan.store.place is None else ["--store", plan.store.place]
    if plan.spec.sessions.store_ttl_s is not None and plan.store.kind != "off":
        words += ["--store-ttl", str(plan.spec.sessions.store_ttl_s)]
    return words


def store_variables(plan: Plan) -> Mapping[str, str]:
    """The variables that name the store on a host, if a secret has its address."""
    if plan.store.kind == "off" or plan.store.place is not None:
        return {}
    files = {secret.variable: secret.file for secret in plan.secrets if secret.name == STORE_SECRET and secret.file}
    return {f"{variable}_FILE": file for variable, file in files.items()}
