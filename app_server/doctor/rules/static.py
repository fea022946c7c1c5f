"""BokehJS and other files: whether they arrive, compressed, and are cached."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeGuard

from app_server.doctor.finding import Finding, Hop, Rule, Severity, apache, nginx, server
from app_server.doctor.rules.page import path_is_kept
from app_server.doctor.seen.answers import FAILED_BEHIND, Answer
from app_server.doctor.seen.evidence import Evidence

_SMALL_BYTES: Final = 100_000
_LONG_S: Final = 86400


def bokehjs_arrives(evidence: Evidence) -> Iterator[Finding]:
    """Every part of BokehJS is found, and is JavaScript."""
    if any(True for _ in path_is_kept(evidence)):
        return  # which is why
    page = evidence.page
    failed = [script for script in evidence.scripts if script.status not in (200, 304)]
    if failed and page is not None:
        hop = Hop.SERVER if failed[0].seen is not None else Hop.PROXY
        root = page.root_path or "/"
        yield Finding(
            "bokehjs-missing", Severity.ERROR, hop,
            f"{failed[0].target.url}: {failed[0].summary}, as for {len(failed)} of {len(evidence.scripts)} scripts",
            "The page stays blank.",
            (
                nginx("serve the files from the server", f"location {root} {{ proxy_pass http://127.0.0.1:5006; }}"),
                nginx("or from the folder that `app-server info --static` prints",
                      f"location ^~ {root}static/ {{ alias …/; }}"),
                apache("serve the files from the server", f"ProxyPass {root} http://127.0.0.1:5006{root}"),
                apache("or from the folder that `app-server info --static` prints", f"Alias {root}static/ …/"),
            ),
        )  # fmt: skip
    strange = [script for script in evidence.scripts if script.status == 200 and not _is_script(script)]
    if strange:
        kind = strange[0].header("content-type")
        nosniff = any((script.header("x-content-type-options") or "").lower() == "nosniff" for script in strange)
        yield Finding(
            "bokehjs-type", Severity.ERROR if nosniff else Severity.WARNING, Hop.PROXY,
            f"{strange[0].target.url} is sent {f'as {kind}' if kind else 'without a content type'}",
            "Browsers refuse to run it." if nosniff else "Browsers that must not guess the type refuse to run it.",
            (
                nginx("in the http block", "include /etc/nginx/mime.types;"),
                apache("set the files' types", "TypesConfig /etc/mime.types"),
            ),
        )  # fmt: skip


def _is_script(script: Answer) -> bool:
    return "javascript" in (script.header("content-type") or "").lower()


def scripts_are_safe(evidence: Evidence) -> Iterator[Finding]:
    """A page over https:// loads nothing over http://."""
    page = evidence.page
    if page is None or page.answer.target.scheme != "https":
        return
    plain = [script for script in page.scripts if script.lower().startswith("http://")]
    if plain:
        yield Finding(
            "mixed-content", Severity.ERROR, Hop.SERVER, f"the page loads {plain[0]} without TLS",
            "Browsers refuse it; the page stays blank.",
            (
                nginx("tell the server which scheme the browser used", "proxy_set_header X-Forwarded-Proto $scheme;"),
                apache("tell the server which scheme the browser used", 'RequestHeader set X-Forwarded-Proto "https"'),
                server("and make it trust the proxy", "--use-xheaders"),
            ),
        )  # fmt: skip


def scripts_are_compressed(evidence: Evidence) -> Iterator[Finding]:
    """Large scripts travel compressed."""
    plain = [script for script in evidence.scripts if script.status == 200 and _is_bulky(script)]
    if plain:
        total = sum(int(script.header("content-length") or 0) for script in plain)
        size = f"{total / 1e6:.1f} MB of scripts" if total else f"{len(plain)} scripts"
        yield Finding(
            "static-uncompressed", Severity.WARNING, Hop.PROXY if plain[0].seen is None else Hop.SERVER,
            f"{size} travel uncompressed, such as {plain[0].target.path}",
            "The first page takes about four times as long to load.",
            (
                nginx("where the files are served", "gzip on;", "gzip_vary on;",
                      "gzip_types text/javascript application/javascript text/css;"),
                apache("where the files are served",
                       "AddOutputFilterByType DEFLATE text/javascript application/javascript text/css"),
                server("or leave the files to the server, which sends a quarter of the bytes"),
            ),
        )  # fmt: skip


def _is_bulky(script: Answer) -> bool:
    length = script.header("content-length")
    bulky = length is None or (length.isdigit() and int(length) > _SMALL_BYTES)
    return bulky and not script.header("content-encoding")


def scripts_are_kept(evidence: Evidence) -> Iterator[Finding]:
    """A browser that comes back has BokehJS already."""
    fresh = [script for script in evidence.scripts if script.status == 200 and not _is_kept(script)]
    if not fresh:
        return
    again = [answer for answer in evidence.scripts_again if answer.failure is None]
    asks = bool(again) and all(answer.status == 304 for answer in again)
    value = fresh[0].header("cache-control")
    yield Finding(
        "static-uncached", Severity.NOTE if asks else Severity.WARNING,
        Hop.PROXY if fresh[0].seen is None else Hop.SERVER,
        f"{fresh[0].target.path} has {'no Cache-Control' if value is None else f'Cache-Control: {value}'}",
        "Browsers ask for each script again at each page." if asks else "Browsers load each script again at each page.",
        (
            nginx("the addresses carry the content's version",
                  'add_header Cache-Control "public, max-age=31536000, immutable";'),
            apache("the addresses carry the content's version",
                   'Header set Cache-Control "public, max-age=31536000, immutable"'),
        ),
    )  # fmt: skip


def _is_kept(script: Answer) -> bool:
    value = (script.header("cache-control") or "").lower()
    found = re.search(r"max-age=([0-9]{1,12})", value)
    if "no-cache" in value or "no-store" in value:
        return not script.target.query  # without a version, asking each time is right
    return found is not None and int(found[1]) >= _LONG_S


def static_is_no_wider(evidence: Evidence) -> Iterator[Finding]:
    """What the proxy takes for files is nothing else."""
    page = evidence.page
    if page is None or not _is_ours(evidence.missing):
        return  # then nothing can be distinguished
    root = page.root_path or "/"
    remedies = (
        nginx("with a slash at both ends", f"location ^~ {root}static/ {{ alias …/; }}"),
        apache("with a slash at both ends, and no pattern that takes more", f"Alias {root}static/ …/",
               f"ProxyPass {root}static/ !"),
    )  # fmt: skip
    if _is_the_proxys(evidence.beside_static):
        yield Finding(
            "static-captured", Severity.ERROR, Hop.PROXY,
            f"the proxy takes {evidence.beside_static.target.path} for a file, and answers"
            f" {evidence.beside_static.summary} without asking the server",
            "Applications whose names begin with static cannot be opened.", remedies,
        )  # fmt: skip
    if _is_the_proxys(evidence.extensions):
        yield Finding(
            "extensions-captured", Severity.WARNING, Hop.PROXY,
            f"the proxy takes {root}static/extensions/ for its own folder, and answers {evidence.extensions.summary}",
            "Models of extensions, such as Panel's, are not found: only the server has them.",
            (
                nginx("before the files' location", f"location ^~ {root}static/extensions/ {{ proxy_pass http://…; }}"),
                apache("before the files' exception",
                       f"ProxyPass {root}static/extensions/ http://…{root}static/extensions/"),
            ),
        )  # fmt: skip
    own = evidence.own_static
    if _is_the_proxys(own) and own.status != 200:
        yield Finding(
            "static-captured", Severity.ERROR, Hop.PROXY,
            f"the proxy takes {own.target.path} for a file of its own, and answers {own.summary}",
            "The application's own files, its styles and pictures, are not found.", remedies,
        )  # fmt: skip


def _is_ours(answer: Answer | None) -> bool:
    return answer is not None and answer.seen is not None


def _is_the_proxys(answer: Answer | None) -> TypeGuard[Answer]:
    """Whether the proxy answered of its own accord, rather than for want of a server."""
    return answer is not None and answer.seen is None and 0 != answer.status not in FAILED_BEHIND


RULES: Final[tuple[Rule, ...]] = (
    bokehjs_arrives,
    scripts_are_safe,
    scripts_are_compressed,
    scripts_are_kept,
    static_is_no_wider,
)
