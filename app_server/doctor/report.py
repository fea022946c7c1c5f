"""Findings for people and for programs."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from app_server.doctor.finding import Finding, Remedy, Severity
from app_server.doctor.seen.evidence import Evidence

Paint = Callable[[str, str], str]

_PROXIES = ("nginx", "apache")
_TITLES = {"nginx": "nginx", "apache": "Apache", None: "an unknown proxy, or none"}
_STYLES = {Severity.ERROR: "fault", Severity.WARNING: "heading", Severity.NOTE: "heading"}
_LABEL_COLUMNS = 9


def remedies_for(finding: Finding, proxy: str | None) -> tuple[Remedy, ...]:
    """What to change with this proxy; both forms if the proxy is unknown."""
    if proxy is None:
        return finding.remedies
    return tuple(remedy for remedy in finding.remedies if remedy.where not in _PROXIES or remedy.where == proxy)


def checked(evidence: Evidence) -> dict[str, bool]:
    """What was checked, and what could not be."""
    page = evidence.page
    sockets = evidence.sockets
    return {
        "name": evidence.name_failure is None and bool(evidence.reach),
        "TLS": evidence.tls is not None,
        "redirect from http://": evidence.plain is not None,
        "page": page is not None and page.token is not None,
        "BokehJS": bool(evidence.scripts),
        "socket": bool(sockets),
        "foreign origin": evidence.foreign is not None,
        "large token": evidence.large_token is not None,
        "silence": evidence.idle is not None,
        "host and scheme": bool(sockets) and evidence.knows_doctor,
        "forged headers": evidence.spoofed is not None and evidence.spoofed.seen is not None,
        "buffering": evidence.trickle is not None and evidence.trickle.seen is not None,
        "one instance for page and socket": any(None not in opening.instances for opening in evidence.openings),
        "embedding": bool(evidence.embeddings),
    }


def exit_status(evidence: Evidence, findings: Sequence[Finding]) -> int:
    """0 if an application was found and no finding is an error; warnings and notes do not count."""
    seen = evidence.page is not None and evidence.page.token is not None
    return int(not seen or any(finding.severity is Severity.ERROR for finding in findings))


def as_text(evidence: Evidence, findings: Sequence[Finding], took_s: float, paint: Paint, width: int = 80) -> str:
    """The report for people."""
    target = evidence.page.answer.target if evidence.page is not None else evidence.target
    about = [_TITLES.get(evidence.proxy, evidence.proxy or "") if evidence.is_reached else "nothing answered"]
    if evidence.instances:
        about.append(f"{len(evidence.instances)} instance{'s' if len(evidence.instances) > 1 else ''}")
    lines = [f"{paint('word', target.url)}  {', '.join(about)}; checked in {took_s:.1f} s", ""]
    for finding in findings:
        lines += [*_paragraph(finding, evidence.proxy, paint, width), ""]
    found = checked(evidence)
    done = ", ".join(name for name, seen in found.items() if seen)
    left = ", ".join(name for name, seen in found.items() if not seen)
    lines += textwrap.wrap(f"checked: {done or 'nothing'}", width, subsequent_indent="  ")
    if left:
        lines += textwrap.wrap(f"not checked: {left}", width, subsequent_indent="  ")
    lines.append(_summary(findings))
    return "\n".join(lines)


def _paragraph(finding: Finding, proxy: str | None, paint: Paint, width: int) -> Iterator[str]:
    label = finding.severity.value
    yield f"{paint(_STYLES[finding.severity], label)}{' ' * (_LABEL_COLUMNS - len(label))}{finding.id} " \
        f"({finding.hop.value})"  # fmt: skip
    indent = " " * _LABEL_COLUMNS
    seen = _plain(f"{_sentence(finding.seen)} {finding.why}")
    yield from textwrap.wrap(
        seen, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    for remedy in remedies_for(finding, proxy):
        where = _TITLES.get(remedy.where, remedy.where)
        yield from textwrap.wrap(
            f"{where}: {remedy.how}{':' if remedy.lines else ''}", width, initial_indent=indent,
            subsequent_indent=indent + "  ", break_on_hyphens=False,
        )  # fmt: skip
        for line in remedy.lines:
            yield f"{indent}    {paint('word', _plain(line))}"


def _sentence(text: str) -> str:
    """The text as a sentence; an address or a name at its start stays as it is."""
    first = text.partition(" ")[0].rstrip(",")
    begun = f"{text[:1].upper()}{text[1:]}" if first.isalpha() else text
    return begun if begun.endswith(".") else f"{begun}."


def _plain(text: str) -> str:
    """The text without control characters, with which a hostile server could manipulate the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _summary(findings: Sequence[Finding]) -> str:
    if not findings:
        return "No problems found."
    counts = {severity: sum(finding.severity is severity for finding in findings) for severity in Severity}
    shown = [f"{count} {severity.value}{'s' if count > 1 else ''}" for severity, count in counts.items() if count]
    return ", ".join(shown) + "."


def as_data(evidence: Evidence, findings: Sequence[Finding], took_s: float) -> dict[str, Any]:
    """The report for programs, to be written as JSON."""
    target = evidence.page.answer.target if evidence.page is not None else evidence.target
    found = checked(evidence)
    return {
        "url": target.url,
        "ok": exit_status(evidence, findings) == 0,
        "proxy": evidence.proxy,
        "server_names": list(evidence.server_names),
        "instances": len(evidence.instances),
        "seconds": round(took_s, 2),
        "checked": [name for name, seen in found.items() if seen],
        "not_checked": [name for name, seen in found.items() if not seen],
        "findings": [
            {
                "id": finding.id,
                "severity": finding.severity.value,
                "hop": finding.hop.value,
                "seen": finding.seen,
                "why": finding.why,
                "remedies": [
                    {"where": remedy.where, "how": remedy.how, "lines": list(remedy.lines)}
                    for remedy in remedies_for(finding, evidence.proxy)
                ],
            }
            for finding in findings
        ],
    }
