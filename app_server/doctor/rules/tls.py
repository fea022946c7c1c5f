"""The certificate, the versions of TLS, and HSTS."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Final

from app_server.doctor.finding import Finding, Hop, Rule, Severity, apache, nginx, remedy
from app_server.doctor.seen.answers import Tls
from app_server.doctor.seen.evidence import Evidence
from app_server.protocol.doctor import DEVELOPMENT_ORGANIZATION

_DAY_S = 86400
_EXPIRED, _NOT_YET = 10, 9  # X509_V_ERR_CERT_HAS_EXPIRED, …_NOT_YET_VALID
_SELF_SIGNED, _SELF_SIGNED_ROOT = 18, 19
_NO_ISSUER = (2, 20, 21)  # the issuer's certificate is neither among those sent nor known here

SOON_S: Final = 14 * _DAY_S
"""Renewal is due at a third of a certificate's time, 30 days for the usual ones: at 14 it has failed for weeks."""

HSTS_S: Final = 63072000
"""Two years, as Mozilla's guideline 6.0 has it; half a year is what it takes to be of use."""

_HSTS_LEAST_S = 15768000

_CHAIN = (
    nginx("the file contains the host's certificate first, then the intermediate ones, without the root's",
          "ssl_certificate /etc/…/fullchain.pem;"),
    apache("the file contains the host's certificate first, then the intermediate ones, without the root's",
           "SSLCertificateFile /etc/…/fullchain.pem"),
)  # fmt: skip
_RENEW = (
    remedy("certbot", "renew it, and make the proxy read it again", "certbot renew"),
    nginx("afterwards", "nginx -s reload"),
    apache("afterwards", "apachectl graceful"),
)


def tls_works(evidence: Evidence) -> Iterator[Finding]:
    """A TLS handshake succeeds."""
    failure = evidence.tls_failure
    if failure is None:
        return
    host = evidence.target.host
    if failure.kind == "tls-name":
        yield Finding(
            "tls-name-unknown", Severity.ERROR, Hop.PROXY,
            f"the proxy has no site named {host}, and refuses unknown names ({failure})",
            "Browsers cannot connect.",
            (
                nginx("name it in the server block of this port", f"server_name {host};"),
                apache("name it in the <VirtualHost> of this port", f"ServerName {host}"),
            ),
        )  # fmt: skip
    elif failure.kind == "tls-client":
        yield Finding(
            "tls-client-certificate", Severity.ERROR, Hop.PROXY,
            f"the proxy requires client certificates, and the doctor has none ({failure})",
            "Browsers without such a certificate cannot connect; what is behind the proxy was not checked.",
            (
                nginx("if visitors do not need one", "ssl_verify_client off;"),
                apache("if visitors do not need one", "SSLVerifyClient none"),
            ),
        )  # fmt: skip
    else:
        yield Finding(
            "tls-failed", Severity.ERROR, Hop.PROXY, str(failure), "Browsers cannot connect.",
            (
                nginx("enable TLS on this port, with certificate and key", "listen 443 ssl;", "ssl_certificate …;"),
                apache("enable TLS on this port, with certificate and key", "SSLEngine on", "SSLCertificateFile …"),
            ),
        )  # fmt: skip


def certificate_is_trusted(evidence: Evidence) -> Iterator[Finding]:
    """A known authority vouches for the certificate."""
    tls = evidence.tls
    if tls is None or tls.trust_code == 0:
        return
    if tls.trust_code in (_EXPIRED, _NOT_YET):
        yield Finding(
            "tls-expired", Severity.ERROR, Hop.PROXY, f"the certificate is not valid now: {tls.trust_reason}",
            "Browsers show a warning instead of the page.", _RENEW,
        )  # fmt: skip
    elif tls.trust_code == _SELF_SIGNED:
        yield Finding(
            "tls-self-signed", Severity.ERROR, Hop.PROXY, "the certificate is self-signed",
            "Browsers show a warning instead of the page.",
            (remedy("certbot", "get one from an authority", f"certbot certonly -d {evidence.target.host}"), *_CHAIN),
        )  # fmt: skip
    elif tls.trust_code in _NO_ISSUER and tls.chain_length == 1:
        yield Finding(
            "tls-chain-incomplete", Severity.ERROR, Hop.PROXY,
            f"the server sent only the host's certificate, which no authority known here issued ({tls.trust_reason})",
            "Browsers that do not know the intermediate certificate show a warning; programs refuse to connect.",
            (*_CHAIN, remedy("app-server doctor", "or, if the authority is your own", "--ca-file FILE")),
        )  # fmt: skip
    else:
        yield Finding(
            "tls-untrusted", Severity.ERROR, Hop.PROXY,
            f"no authority known here vouches for the {tls.chain_length} certificates sent: {tls.trust_reason}",
            "Browsers show a warning instead of the page.",
            (*_CHAIN, remedy("app-server doctor", "or, if the authority is your own", "--ca-file FILE")),
        )  # fmt: skip


def certificate_has_the_name(evidence: Evidence) -> Iterator[Finding]:
    """The certificate covers this host."""
    tls = evidence.tls
    if tls is not None and tls.name_reason:
        host = evidence.target.host
        yield Finding(
            "tls-name", Severity.ERROR, Hop.PROXY, f"the certificate is not for {host}: {tls.name_reason}",
            "Browsers show a warning instead of the page.",
            (
                remedy("certbot", "get one for this name", f"certbot certonly -d {host}"),
                nginx("or make the right server block answer", f"server_name {host};"),
                apache("or make the right <VirtualHost> answer", f"ServerName {host}"),
            ),
        )  # fmt: skip


def certificate_lasts(evidence: Evidence) -> Iterator[Finding]:
    """The certificate does not expire soon."""
    tls = evidence.tls
    if tls is None or tls.not_after is None or tls.not_before is None:
        return
    left_s, whole_s = tls.not_after - evidence.now, tls.not_after - tls.not_before
    if 0 < left_s < min(SOON_S, whole_s / 3):
        day = time.strftime("%d %B %Y", time.gmtime(tls.not_after))
        yield Finding(
            "tls-expires-soon", Severity.WARNING, Hop.PROXY,
            f"the certificate expires in {left_s / _DAY_S:.0f} days, on {day}", "Then browsers will refuse the page.",
            _RENEW,
        )  # fmt: skip


def versions_are_current(evidence: Evidence) -> Iterator[Finding]:
    """TLS 1.2 and 1.3, as in Mozilla's guideline 6.0."""
    tls = evidence.tls
    if tls is None or tls.failure is not None:
        return
    remedies = (
        nginx("set the versions", "ssl_protocols TLSv1.2 TLSv1.3;"),
        apache("set the versions", "SSLProtocol -all +TLSv1.2 +TLSv1.3"),
    )
    if tls.old_versions:
        yield Finding(
            "tls-old", Severity.WARNING, Hop.PROXY, f"the proxy still accepts {' and '.join(tls.old_versions)}",
            "These versions are insecure (RFC 8996), and audits fail because of them.", remedies,
        )  # fmt: skip
    if not tls.has_tls13 and tls.version:
        yield Finding(
            "tls-13-missing", Severity.NOTE, Hop.PROXY, f"TLS 1.3 is not enabled, only {tls.version}",
            "Each new connection needs one more round trip.", remedies,
        )  # fmt: skip


def hsts_is_set(evidence: Evidence) -> Iterator[Finding]:
    """Browsers learn that the host only uses https:// (RFC 6797)."""
    page, target = evidence.page, evidence.target
    if page is None or page.answer.target.scheme != "https" or target.is_local or target.is_address:
        return
    if page.answer.failure is not None or page.answer.status >= 400 or _is_for_few(evidence.tls):
        return
    value = page.answer.header("strict-transport-security")
    remedies = (
        nginx("in the server block of port 443, and again in each block with another add_header",
              f'add_header Strict-Transport-Security "max-age={HSTS_S}" always;'),
        apache("in the <VirtualHost> of port 443",
               f'Header always set Strict-Transport-Security "max-age={HSTS_S}"'),
    )  # fmt: skip
    if value is None:
        yield Finding(
            "hsts-missing", Severity.WARNING, Hop.PROXY, "the page has no Strict-Transport-Security",
            "Users who type the name use http:// each time, where attackers on the way can intercept them.", remedies,
        )  # fmt: skip
        return
    found = re.search(r"max-age\s*=\s*\"?([0-9]{1,12})", value, re.IGNORECASE)
    if found is None or int(found[1]) < _HSTS_LEAST_S:
        yield Finding(
            "hsts-short", Severity.NOTE, Hop.PROXY, f"Strict-Transport-Security is {value!r}",
            "Browsers forget it within half a year.", remedies,
        )  # fmt: skip


def _is_for_few(tls: Tls | None) -> bool:
    """Whether most browsers reject the certificate anyway: they must not be bound to https:// because of it."""
    return tls is not None and (tls.trust_code != 0 or tls.issuer == DEVELOPMENT_ORGANIZATION)


RULES: Final[tuple[Rule, ...]] = (
    tls_works,
    certificate_is_trusted,
    certificate_has_the_name,
    certificate_lasts,
    versions_are_current,
    hsts_is_set,
)
