"""certbot beside the proxy of compose: how it gets the first certificate, renews it, and how the proxy notices.

Proxy and certbot share two volumes: one has the certificate, the other one the challenges, which the proxy hands out. A
proxy does not start without a certificate, and the authority reads the challenge from the proxy. So certbot's container
makes a self-signed certificate first, is healthy then, and asks the authority when the proxy answers.
"""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from app_server.deployment.plan.values import Plan

if TYPE_CHECKING:
    from app_server.tls.acme import AcmeSite

SERVICE: Final = "certbot"
STAND_IN: Final = "stand-in"
"""The word for a container that makes a self-signed certificate, if there is none, and ends."""
CONFIG: Final = "/etc/letsencrypt"
AUTHORITY: Final = "/run/authority.pem"
# The proxy's user and group.
_OWNER: Final = "10002:10001"
_SIGNALS: Final[Mapping[str, str]] = {"nginx": "HUP", "apache": "USR1"}
_RUNS: Final[Mapping[str, tuple[str, ...]]] = {
    "nginx": ("nginx", "-g", "daemon off;"),
    "apache": ("apache2", "-f", "/etc/apache2/apache2.conf", "-DFOREGROUND"),
}

RENEWING: Final = """\
folder=$1 reload=$2
shift 2
program=$$
state() { cat "$folder"/*.pem 2>/dev/null | cksum; }
seen=$(state)
(
    while sleep 5; do
        now=$(state)
        if [ "$now" != "$seen" ]; then seen=$now; kill -s "$reload" "$program"; fi
    done
) &
exec "$@"
"""
"""A shell's script that becomes the proxy, and tells it by a signal that its certificate has changed.

Its arguments are the certificate's folder, the signal, and the proxy's command.
"""

_SCRIPT: Final = """\
set -eu
umask 022
give() {{
    chmod 400 "$1"
    chown {owner} "$1"
    mv -f "$1" {key}
    mv -f "$2" {certificate}
}}
if [ ! -s {certificate} ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 \\
        -keyout {key}.new -out {certificate}.new -subj {subject} -addext {names} 2>/dev/null
    give {key}.new {certificate}.new
fi
[ "${{1:-run}}" = run ] || exit 0
take() {{
    if [ -s {live}/fullchain.pem ] && ! cmp -s {live}/fullchain.pem {certificate}; then
        cp {live}/fullchain.pem {certificate}.new
        cp {live}/privkey.pem {key}.new
        give {key}.new {certificate}.new
        echo "installed a new certificate"
    fi
}}
mkdir -p {challenges}
echo ready >{challenges}/ready
until python3 -c {asks}; do sleep 1; done
rm {challenges}/ready
# A public authority limits failures: the next try is an hour later at most.
wait_s=60
until {first}; do
    echo "the next try is in $wait_s s" >&2
    sleep "$wait_s"
    wait_s=$((wait_s * 2))
    [ "$wait_s" -lt 3600 ] || wait_s=3600
done
take
while sleep {every_s}; do
    {renew} || true
    take
done
"""
# Through the proxy, as the authority will.
_ASKS: Final = """\
import sys, urllib.request
request = urllib.request.Request("http://proxy:{port}/{challenges}/ready", headers={{"Host": "{host}"}})
try:
    found = urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open(request, timeout=5).read()
except OSError:
    found = b""
sys.exit(found.strip() != b"ready")
"""
RENEWAL_S: Final = 43200
"""How often certbot looks whether a renewal is due: twice a day, as its authors advise."""


def wanted(plan: Plan) -> bool:
    """Whether compose has a certbot."""
    return plan.layout == "compose" and plan.tls is not None and plan.tls.mode == "acme" and plan.has_proxy


def values(plan: Plan) -> Mapping[str, Any] | None:
    """What compose.yaml has to say of certbot and of the proxy that it works for; None without it."""
    if not wanted(plan):
        return None
    acme, kind = plan.spec.tls.acme, plan.spec.proxy.kind
    assert plan.tls is not None
    folder = plan.tls.certificate.rpartition("/")[0]
    return {
        "image": acme.image,
        "script": script(plan),
        "folder": folder,
        "webroot": plan.tls.webroot,
        "config": CONFIG,
        "authority": acme.authority,
        "authority_place": AUTHORITY,
        "renewing": RENEWING,
        "signal": _SIGNALS[kind],
        "proxy": _RUNS[kind],
    }


def script(plan: Plan) -> str:
    """What certbot's container runs."""
    from app_server.tls.acme import CHALLENGES  # brings a lot along, and few deployments get here

    assert plan.tls is not None and plan.tls.webroot is not None
    site = _site(plan)
    asks = _ASKS.format(port=plan.listen_http, challenges=CHALLENGES, host=site.names[0])
    names = "subjectAltName=" + ",".join(map(_alternative_name, site.names))
    return _SCRIPT.format(
        owner=_OWNER, key=shlex.quote(site.key), certificate=shlex.quote(site.certificate),
        subject=shlex.quote(f"/CN={site.names[0]}"), names=shlex.quote(names), live=shlex.quote(site.live),
        challenges=shlex.quote(site.challenges), asks=shlex.quote(asks), first=shlex.join(_without_hook(site.first)),
        renew=shlex.join(site.renew), every_s=RENEWAL_S,
    )  # fmt: skip


def _site(plan: Plan) -> AcmeSite:
    from app_server.tls.acme import AcmeSite

    acme = plan.spec.tls.acme
    assert plan.tls is not None and plan.tls.webroot is not None
    # Everything but the certificates may be lost.
    folders = ("--config-dir", CONFIG, "--work-dir", "/tmp/work", "--logs-dir", "/tmp/logs")
    return AcmeSite(
        name=acme.name or plan.name, names=plan.site.hosts, email=acme.email, directory=acme.directory,
        webroot=plan.tls.webroot, certificate=plan.tls.certificate, key=plan.tls.key, hook="", test=(), reload=(),
        start=(), certbot=("certbot", *folders), config=CONFIG,
    )  # fmt: skip


def _without_hook(words: tuple[str, ...]) -> tuple[str, ...]:
    """The command without its hook: the loop installs what is new, so nothing is missed if a container is replaced."""
    at = words.index("--deploy-hook")
    return (*words[:at], *words[at + 2 :])


def _alternative_name(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"
