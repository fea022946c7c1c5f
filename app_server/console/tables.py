"""The console's tables that are only read, as HTML. Every text in them is escaped: it may be a visitor's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from app_server.console.feed import Instance
from app_server.console.figures import clock, duration, short, size
from app_server.console.reading import entries, known, mapping, number, text, whole
from app_server.observe.gauges import BOUNDS_S
from app_server.observe.snapshots import add, quantile

MOST_LINES = 300
"""How many lines of the log are shown."""

LEVELS = ("debug", "info", "warning", "error", "critical")

_LATE_S = 0.1
_SLOW_S = 0.1


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], nothing: str) -> str:
    """A table whose cells are HTML already; on a phone each row becomes a card, with the headings beside the cells."""
    lines = [f"<tr>{''.join(map(_cell, headings, row))}</tr>" for row in rows]
    if not lines:
        return f'<p class="muted">{escape(nothing)}</p>'
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _cell(heading: str, cell: str) -> str:
    return f'<td data-h="{escape(heading)}">{cell}</td>'


def _warned(shown: str, so: bool) -> str:
    return f'<span class="warn">{escape(shown)}</span>' if so else escape(shown)


def instances_table(instances: Sequence[Instance]) -> str:
    """The instances of the deployment."""
    return table(
        ("instance", "state", "version", "processes", "sessions"),
        (_instance_row(instance) for instance in instances),
        "No instance is known.",
    )


def _instance_row(instance: Instance) -> Sequence[str]:
    fault = text(instance, "fault", 300)
    processes = mapping(mapping(instance, "snapshot"), "processes")
    sessions = sum(_now(facts, "sessions") for facts in processes.values())
    return (
        escape(text(instance, "name", 100)),
        _state(instance, fault),
        escape(text(instance, "version", 30) or "–"),
        str(len(processes)) if not fault else "–",
        str(sessions) if not fault else "–",
    )


def _state(instance: Instance, fault: str) -> str:
    if fault:
        return f'<span class="warn">{escape(fault)}</span>'
    if instance.get("draining"):
        return '<span class="warn">draining</span>'
    if instance.get("maintenance") is not None:
        return '<span class="warn">maintenance</span>'
    return '<span class="good">serving</span>'


def _now(facts: object, name: str) -> int:
    """How many of these a process has, over all its applications."""
    gauges = mapping(facts, "applications").values() if isinstance(facts, dict) else ()
    return sum(whole(mapping(each, "now"), name) for each in gauges if isinstance(each, dict))


def processes_table(instances: Sequence[Instance]) -> str:
    """The processes of all instances, and those that do not answer."""
    headings = ("process", "instance", "pid", "up", "sessions", "connections", "memory", "lag", "stalls")
    return table(headings, _process_rows(instances), "No process answers.")


def _process_rows(instances: Sequence[Instance]) -> Iterator[Sequence[str]]:
    for instance in instances:
        snapshot, name = mapping(instance, "snapshot"), escape(text(instance, "name", 100))
        for process, facts in sorted(mapping(snapshot, "processes").items()):
            if isinstance(facts, dict):
                yield _process_row(str(process), name, facts)
        silent = snapshot.get("silent")
        for process in silent if isinstance(silent, list) else ():
            yield (escape(str(process)[:50]), name, '<span class="warn">does not answer</span>', *["–"] * 6)


def _process_row(process: str, instance: str, facts: Mapping[str, Any]) -> Sequence[str]:
    loop, limit = mapping(facts, "loop"), number(facts, "max_sessions")
    lag_s, blocks = number(mapping(loop, "now"), "recent_lag_s"), number(mapping(loop, "ever"), "blocks")
    sessions = _now(facts, "sessions")
    memory = known(number(facts, "pss_bytes"))
    return (
        _warned(f"{process} (draining)" if facts.get("draining") else process, bool(facts.get("draining"))),
        instance,
        escape(text(facts, "pid", 12)),
        duration(known(number(facts, "taken_s") - number(facts, "started_s"))),
        _warned(f"{sessions} of {limit:.0f}", sessions >= limit) if limit > 0 else str(sessions),
        str(_now(facts, "connections")),
        size(memory if memory is not None else known(number(facts, "rss_bytes"))),
        _warned(short(known(lag_s)), lag_s > _LATE_S),
        _warned(f"{blocks:.0f}", blocks > 0),
    )


def applications_table(instances: Sequence[Instance]) -> str:
    """The applications, added up over all processes of all instances."""
    added: dict[str, Any] = {}
    for url, gauges in _gauges(instances):
        if _is_readable(gauges):
            added = add(added, {url: gauges})
    headings = (
        "application", "sessions", "connections", "opened", "refused", "messages", "p50", "p99", "callbacks p99",
        "jobs",
    )  # fmt: skip
    return table(headings, (_application_row(url, added[url]) for url in sorted(added)), "No application is served.")


def _gauges(instances: Sequence[Instance]) -> Iterator[tuple[str, Any]]:
    for instance in instances:
        for facts in mapping(mapping(instance, "snapshot"), "processes").values():
            if isinstance(facts, dict):
                yield from mapping(facts, "applications").items()


def _is_readable(gauges: Any) -> bool:
    """Whether these figures can be shown: an instance of another version may have others."""
    try:
        add(gauges, gauges)
        _application_row("", gauges)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError):
        return False
    return True


def _application_row(url: str, gauges: Mapping[str, Any]) -> Sequence[str]:
    now, ever = mapping(gauges, "now"), mapping(gauges, "ever")
    refused = sum(mapping(ever, "refused").values())
    p99_s = quantile(ever["round_trip"], BOUNDS_S["round_trip"], 0.99)
    called = [quantile(each, BOUNDS_S["callback"], 0.99) for each in mapping(ever, "callbacks").values()]
    return (
        escape(url),
        text(now, "sessions", 12),
        text(now, "connections", 12),
        text(ever, "built", 12),
        _warned(str(refused), refused > 0),
        text(ever, "messages_in", 12),
        short(quantile(ever["round_trip"], BOUNDS_S["round_trip"], 0.5)),
        _warned(short(p99_s), p99_s is not None and p99_s > _SLOW_S),
        short(max((each for each in called if each is not None), default=None)),
        _jobs(now),
    )


def _jobs(now: Mapping[str, Any]) -> str:
    running, queued = whole(now, "jobs_running"), whole(now, "jobs_queued")
    return f"{running} + {queued} queued" if queued else str(running)


def log_table(instances: Sequence[Instance], *, level: str, application: str, session: str, words: str) -> str:
    """The lines of the log that are asked for, the latest first."""
    least = LEVELS.index(level) if level in LEVELS else 0
    lines = [
        (number(line, "at_s"), instance, line)
        for instance in instances
        for line in entries(instance, "log")
        if _is_wanted(line, least, application, session.lower(), words.lower().split())
    ]
    lines.sort(key=lambda each: -each[0])
    headings = ("time", "level", "instance", "application", "session", "message")
    return table(headings, (_log_row(*line) for line in lines[:MOST_LINES]), "No line is like that.")


def _is_wanted(line: Mapping[str, Any], least: int, application: str, session: str, words: Sequence[str]) -> bool:
    level = text(line, "level", 20)
    if level in LEVELS and LEVELS.index(level) < least:
        return False
    if application and text(line, "application") != application:
        return False
    if session and not text(line, "session").lower().startswith(session[:8]):
        return False
    message = f"{text(line, 'message')} {text(line, 'trace')}".lower()
    return all(word in message for word in words)


def _log_row(at_s: float, instance: Instance, line: Mapping[str, Any]) -> Sequence[str]:
    level = text(line, "level", 20)
    trace = text(line, "trace", 8000)
    more = f"<details><summary>traceback</summary><pre>{escape(trace)}</pre></details>" if trace else ""
    return (
        clock(at_s),
        _warned(level, level in ("warning", "error", "critical")),
        escape(text(instance, "name", 100)),
        escape(text(line, "application", 200)),
        escape(text(line, "session", 8)),
        f'<div><span class="message">{escape(text(line, "message"))}</span>{more}</div>',
    )


def stalls_list(instances: Sequence[Instance]) -> str:
    """What has lately blocked a loop, the latest first, each with the stack of its thread."""
    found = [(number(stall, "at_s"), each, stall) for each in instances for stall in entries(each, "stalls")]
    found.sort(key=lambda each: -each[0])
    if not found:
        return '<p class="muted">No loop was blocked since its process began.</p>'
    return "".join(_stall(*each) for each in found)


def _stall(at_s: float, instance: Instance, stall: Mapping[str, Any]) -> str:
    lasted_s = known(number(stall, "lasted_s"))
    lasted = "still blocked" if lasted_s is None else f"blocked for {short(lasted_s)}"
    process = f"process {text(stall, 'pid', 12)}"
    what = " · ".join((clock(at_s), text(instance, "name", 100), process, lasted, text(stall, "name", 300)))
    stack = text(stall, "stack", 8000)
    shown = f"<pre>{escape(stack)}</pre>" if stack else '<p class="muted">The stack is not known.</p>'
    return f"<details><summary>{escape(what)}</summary>{shown}</details>"


def audit_table(instances: Sequence[Instance]) -> str:
    """What operators have done, the latest first."""
    found = [(text(entry, "time", 30), each, entry) for each in instances for entry in entries(each, "audit")]
    found.sort(key=lambda each: each[0], reverse=True)
    return table(
        ("time", "operator", "act", "on", "result", "instance"),
        (
            (
                escape(at),
                escape(text(entry, "who", 200)),
                escape(text(entry, "act", 500)),
                escape(text(entry, "on", 300)),
                _warned(text(entry, "result", 300), text(entry, "result").startswith("failed")),
                escape(text(instance, "name", 100)),
            )
            for at, instance, entry in found
        ),
        "No operator has done anything yet.",
    )


def headline(instances: Sequence[Instance], who: str = "", logout_url: str = "") -> str:
    """The page's first line: how much there is, what is unusual, and who looks at it."""
    silent = sum(bool(text(instance, "fault")) for instance in instances)
    processes = [facts for each in instances for facts in mapping(mapping(each, "snapshot"), "processes").values()]
    sessions = sum(_now(facts, "sessions") for facts in processes)
    counts = ((len(instances), "instance", "s"), (len(processes), "process", "es"), (sessions, "session", "s"))
    chips = "".join(f"<span>{escape(_counted(*count))}</span>" for count in counts)
    if silent:
        chips += f'<span class="warn">{escape(_counted(silent, "instance"))} without an answer</span>'
    if any(instance.get("maintenance") is not None for instance in instances):
        chips += '<span class="warn">maintenance</span>'
    leave = f' · <a href="{escape(logout_url)}">Log out</a>' if logout_url else ""
    operator = f'<div class="who">{escape(who)}{leave}</div>'
    return f'<header><h1>Console</h1><div class="chips">{chips}</div>{operator}</header>'


def _counted(count: int, what: str, plural: str = "s") -> str:
    return f"{count} {what}{'' if count == 1 else plural}"
