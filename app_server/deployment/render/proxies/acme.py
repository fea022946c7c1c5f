"""A certificate from an ACME authority: the script that gets the first one, the hook that installs each, a timer."""

from __future__ import annotations

import ipaddress
import shlex
from typing import TYPE_CHECKING, Any

from app_server.deployment.plan.values import Plan
from app_server.deployment.render import File, Files
from app_server.deployment.render.templates import Quoted, environment, header
from app_server.deployment.render.unwritable import refused

if TYPE_CHECKING:
    from app_server.tls.acme import AcmeSite

# The services of Debian's packages; those who run the proxy otherwise change three lines of two scripts.
SERVICES = {"nginx": "nginx", "apache": "apache2"}
TESTS = {"nginx": ("nginx", "-t", "-q"), "apache": ("apache2ctl", "-t")}


def wanted(plan: Plan) -> bool:
    """Whether the certificate comes by ACME."""
    return plan.tls is not None and plan.tls.mode == "acme"


def quote(value: object) -> Quoted:
    """A value as one word of a shell's."""
    text = str(value)
    if not text.isprintable():
        raise refused(value, "a shell script")
    return Quoted(shlex.quote(text))


def words(value: tuple[str, ...]) -> Quoted:
    """A command for a shell."""
    return Quoted(" ".join(quote(word) for word in value))


def unit(value: object) -> Quoted:
    """Text in a unit file; % begins a specifier there, and $ a variable."""
    text = str(value)
    if not text.isprintable():
        raise refused(value, "a systemd unit")
    return Quoted(text.replace("%", "%%"))


def unit_words(value: tuple[str, ...]) -> Quoted:
    """A command for ExecStart."""
    return Quoted(" ".join(_unit_word(word) for word in value))


def _unit_word(word: str) -> str:
    # As plain text: what Markup is given to replace with, it escapes for HTML.
    text = str(unit(word)).replace("$", "$$")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return text if text and all(char.isalnum() or char in "-_./:=%@+," for char in text) else f'"{escaped}"'


FILTERS: dict[str, Any] = {"q": quote, "words": words, "unit": unit, "unit_words": unit_words}


def render(plan: Plan) -> Files:
    """The scripts and the units; nothing if the certificate comes from elsewhere."""
    return files_of(site_of(plan), plan) if wanted(plan) else {}


def site_of(plan: Plan) -> AcmeSite:
    """What certbot has to know of the deployment."""
    from app_server.tls.acme import AcmeSite  # brings a lot along, and few deployments get here

    assert plan.tls is not None and plan.tls.webroot is not None
    acme, kind = plan.spec.tls.acme, plan.spec.proxy.kind
    service = SERVICES.get(kind, kind)
    restart = ("systemctl", "reload-or-restart", service)
    return AcmeSite(
        name=acme.name or plan.name,
        names=plan.site.hosts,
        email=acme.email,
        directory=acme.directory,
        webroot=plan.tls.webroot,
        certificate=plan.tls.certificate,
        key=plan.tls.key,
        hook=f"{plan.paths.etc}/install-certificate.sh",
        test=TESTS.get(kind, ("true",)),
        reload=("systemctl", "reload", service),
        start=restart,
    )


def files_of(site: AcmeSite, plan: Plan) -> Files:
    """The files for a site."""
    jinja = environment("acme", FILTERS)
    values = {
        "header": header(plan, "acme"),
        "site": site,
        "alternative_names": "subjectAltName=" + ",".join(map(_alternative_name, site.names)),
    }

    def text(name: str) -> str:
        return jinja.get_template(name).render(values)

    units = "/etc/systemd/system"
    return {
        "acme/certificate.sh": File(text("certificate.sh"), 0o755, install=f"{plan.paths.etc}/certificate.sh"),
        "acme/install-certificate.sh": File(text("install-certificate.sh"), 0o755, install=site.hook),
        **{
            f"acme/{plan.name}-certificate.{kind}": File(
                text(f"certificate.{kind}"), install=f"{units}/{plan.name}-certificate.{kind}"
            )
            for kind in ("service", "timer")
        },
    }


def _alternative_name(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"
