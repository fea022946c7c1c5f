"""The proxy's certificate and key, if they can be read here: names, dates, chain, mode, and whether they match."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from app_server.deployment.checks import CheckFinding, Level
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import Files
from app_server.protocol.doctor import DEVELOPMENT_ORGANIZATION
from app_server.tls.installed import system_roots

_BESIDE = "It is for development: put its authority.pem beside it, and make your browser trust that."


def check(plan: Plan, files: Files) -> Iterator[CheckFinding]:
    """What is wrong with the files; nothing if there are none, or if ACME or a later step creates them."""
    if plan.tls is None or plan.layout != "host":
        return
    certificate, key = Path(plan.tls.certificate), Path(plan.tls.key)
    try:
        chain_pem = certificate.read_bytes()
    except OSError:
        return  # which the check of the proxy reports
    from app_server.tls.certificates import Material, inspect

    try:
        key_pem, key_mode = key.read_bytes(), key.stat().st_mode
    except OSError as error:
        yield CheckFinding("note", f"cannot be read here: {error.strerror}", where=str(key))
        key_pem, key_mode = None, None
    material = Material(chain_pem, key_pem, key_mode, _roots(plan))
    found = inspect(material, plan.site.hosts, datetime.now(UTC), plan.tls.profile)
    for each in found:
        level: Level = "fault" if each.level == "error" else "warning"
        hint = _BESIDE if DEVELOPMENT_ORGANIZATION in each.what else each.hint
        yield CheckFinding(level, each.what, where=str(certificate), hint=hint.rstrip("."))
    if not found:
        yield CheckFinding("good", "the certificate covers every public name and is valid", where=str(certificate))


def _roots(plan: Plan) -> bytes:
    """What browsers trust, and a development authority beside the certificate."""
    own = Path(plan.tls.certificate).with_name("authority.pem") if plan.tls is not None else None
    known = (path for path in (own, system_roots()) if path is not None and path.is_file())
    return b"\n".join(path.read_bytes() for path in known)
