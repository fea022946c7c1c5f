"""nginx's site, read by crossplane and gixy, and started by the nginx that is installed here."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from app_server.deployment.checks import CheckFinding
from app_server.deployment.checks.scratch import certificate_into, free_ports, is_listening, running
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import Files
from app_server.deployment.render.proxies.nginx import HTTP2_DIRECTIVE_SINCE, STICKY_ROUTE_SINCE, render
from app_server.tls import Installed, installed_nginx

ANSWER_S = 30.0
# Redirects and error pages reveal nothing to visitors who may not connect.
GIXY_SKIPS = "return_bypasses_allow_deny"
MIME_TYPES = "/etc/nginx/mime.types"

# What nginx needs besides a site, all in one folder, without root's rights.
MAIN = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
worker_processes {workers};
worker_rlimit_nofile 2048;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    access_log off;
{types}    include {folder}/site.conf;
}}
"""


def check(plan: Plan, files: Files) -> Iterator[CheckFinding]:
    """What nginx, crossplane and gixy, as far as they are installed, find wrong with the site."""
    with tempfile.TemporaryDirectory(prefix="app-server-check-") as name:
        folder = Path(name)
        scratch, findings = scratch_plan(plan, folder)
        yield from findings
        main = write_scratch(scratch, folder)
        yield from _crossplane(main)
        yield from _gixy(main)
        yield from _nginx(plan, scratch, folder, main)


def scratch_plan(plan: Plan, folder: Path) -> tuple[Plan, list[CheckFinding]]:
    """The same plan on other ports and paths; a note for each missing file that is replaced."""
    findings: list[CheckFinding] = []
    http, https = _ports()
    tls = plan.tls
    if tls is not None:
        missing = [path for path in (tls.certificate, tls.key) if not os.access(path, os.R_OK)]
        if missing:
            certificate, key = certificate_into(folder, plan.site.hosts)
            tls = replace(tls, certificate=certificate, key=key)
            what = "is not on this machine; a temporary certificate was used"
            findings.append(CheckFinding("note", what, where=missing[0]))
    proxy = plan.spec.proxy
    if proxy.include is not None and not os.access(proxy.include, os.R_OK):
        findings.append(
            CheckFinding("note", "is not on this machine; the site was checked without it", where=proxy.include)
        )
        proxy = proxy.model_copy(update={"include": None})
    # Only on the loopback address: others must not reach a check.
    proxy = proxy.model_copy(update={"address": "127.0.0.1"})
    moved = replace(plan.paths, log=str(folder), nginx=str(folder))
    spec = plan.spec.model_copy(update={"proxy": proxy})
    return replace(plan, spec=spec, tls=tls, paths=moved, listen_http=http, listen_https=https), findings


def write_scratch(plan: Plan, folder: Path, workers: int = 1) -> Path:
    """The main file of an nginx that has this plan's site and nothing else."""
    site = next(iter(render(plan).values())).text
    (folder / "site.conf").write_text(site, encoding="utf-8")
    types = f"    include {MIME_TYPES};\n" if os.path.exists(MIME_TYPES) else ""
    main = folder / "nginx.conf"
    main.write_text(MAIN.format(folder=folder, types=types, workers=workers), encoding="utf-8")
    return main


def command(program: Path | str, folder: Path, main: Path) -> list[str]:
    """The command that runs nginx with this main file and nothing outside the folder."""
    return [str(program), "-p", str(folder), "-c", str(main), "-e", str(folder / "error.log")]


def _crossplane(main: Path) -> Iterator[CheckFinding]:
    if importlib.util.find_spec("crossplane") is None:
        yield CheckFinding("note", "crossplane is not installed; the site's grammar was not checked")
        return
    import crossplane  # type: ignore[import-untyped]

    parsed: dict[str, Any] = crossplane.parse(str(main), catch_errors=True, check_ctx=True, check_args=True)
    for file in parsed["config"]:
        for error in file["errors"]:
            text = str(error["error"])
            # Directives newer than the parser.
            if 'unknown directive "http2"' not in text:
                yield CheckFinding("fault", f"crossplane: {text}", where="nginx")


def _ports() -> list[int]:
    """Free ports for HTTP and HTTPS. Gixy assumes TLS for any address that contains 443, such as port 34430."""
    while "443" in str((ports := free_ports(2))[0]):
        pass
    return ports


def _gixy(main: Path) -> Iterator[CheckFinding]:
    """What gixy finds, whatever its severity."""
    if importlib.util.find_spec("gixy") is None:
        yield CheckFinding("note", "gixy-ng is not installed; mistakes that nginx accepts were not looked for")
        return
    done = subprocess.run(
        [sys.executable, "-m", "gixy.cli.main", "-l", "-f", "json", "--skips", GIXY_SKIPS, str(main)],
        capture_output=True, encoding="utf-8", errors="replace", timeout=ANSWER_S, check=False,
    )  # fmt: skip
    yield from _gixy_findings(done.stdout, done.stderr)


def _gixy_findings(printed: str, complaint: str) -> Iterator[CheckFinding]:
    import json

    try:
        found = json.loads(printed or "[]")
    except ValueError:
        yield CheckFinding("note", f"gixy-ng could not read the site: {(complaint or printed).strip()[-200:]}")
        return
    for issue in found:
        reason = issue.get("reason") or issue.get("description")
        yield CheckFinding("warning", f"gixy: {issue.get('summary')}: {reason}", where="nginx")


def _nginx(plan: Plan, scratch: Plan, folder: Path, main: Path) -> Iterator[CheckFinding]:
    installed = installed_nginx()
    if installed is None:
        hint = "Install nginx, or check on the host that will run it."
        yield CheckFinding("note", "nginx is not installed here; the site was not tried", hint=hint)
        return
    shown = ".".join(map(str, installed.version))
    if plan.proxy_version is not None and _form(plan.proxy_version) != _form(installed.version):
        # One version may not know the other's directives.
        what = f"the nginx of this machine is {shown}, so the site was tried in the form for that one"
        yield CheckFinding("note", what, where="proxy.version")
        main = write_scratch(replace(scratch, proxy_version=installed.version), folder)
    yield from _started(installed, shown, scratch, folder, main)


def _form(version: tuple[int, ...]) -> tuple[bool, ...]:
    return version >= STICKY_ROUTE_SINCE, version >= HTTP2_DIRECTIVE_SINCE


def _started(installed: Installed, shown: str, scratch: Plan, folder: Path, main: Path) -> Iterator[CheckFinding]:
    words = command(installed.path, folder, main)
    tested = subprocess.run(
        [*words, "-t", "-q"], capture_output=True, encoding="utf-8", errors="replace", timeout=ANSWER_S, check=False
    )
    for line in (tested.stderr + tested.stdout).splitlines():
        severity, text = _read_line(line, folder)
        if severity in ("emerg", "alert", "crit", "error"):
            yield CheckFinding("fault", f"nginx {shown} refuses it: {text}", where="nginx")
        elif severity == "warn" and "deprecated" not in text:
            yield CheckFinding("warning", f"nginx {shown}: {text}", where="nginx")
    if tested.returncode != 0:
        return
    with running(words, folder / "output", lambda: is_listening(scratch.listen_http)) as complaint:
        if complaint is not None:
            log = folder / "error.log"
            said = complaint + (log.read_text(encoding="utf-8", errors="replace") if log.exists() else "")
            faults = [
                text
                for severity, text in (_read_line(line, folder) for line in said.splitlines())
                if severity in ("emerg", "alert", "crit")
            ]
            yield CheckFinding(
                "fault", f"nginx {shown} does not start: {(faults or [said.strip()])[-1]}", where="nginx"
            )
        else:
            yield CheckFinding("good", f"nginx {shown} accepts the site, and started with it", where="nginx")


def _read_line(line: str, folder: Path) -> tuple[str, str]:
    """Severity and text of a line of nginx's."""
    found = re.search(r"\[(\w+)\] (?:\d+#\d+: )?(.*)", line)
    return ("", line) if found is None else (found[1], found[2].replace(f"{folder}/", ""))
