"""What is run on a host to look at its instances, and how its output is read."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app_server.deployment.daily.deployed import Line, LogsWanted

_ROOT = "/opt/{name}"
_SHOWN = "Id,LoadState,ActiveState,SubState,ActiveEnterTimestamp,NRestarts"
_SUPERVISED = re.compile(r"^(?P<name>\S+) +(?P<state>[A-Z]+)(?: +pid \d+, uptime (?P<uptime>.+))?")
_UPTIME = re.compile(r"(?:(\d+) days?, )?(\d+):(\d\d):(\d\d)$")
_CLOSED, _OPEN, _HERE = "maintenance on", "maintenance off", "release "
_KEPT, _CURRENT = "kept ", "current "


@dataclass(frozen=True, slots=True)
class ServiceState:
    """How a service is, since when in seconds since the epoch, and how often it was restarted by itself."""

    state: str
    since_s: float | None = None
    restarts: int = 0


NO_SERVICE = ServiceState("not installed")
SILENT = ServiceState("unknown")
"""Of a service whose manager says nothing about it."""


def look_script(
    name: str, services: Mapping[str, str], file: str, *, proxy: str | None, is_supervised: bool
) -> str:
    """A script that prints the state of services, the release of each instance, and whether the site is closed."""
    root = _ROOT.format(name=name)
    units = [*([] if is_supervised else services.values()), *([proxy] if proxy else [])]
    lines = []
    if units:
        lines.append(f"systemctl show --timestamp=unix -p {_SHOWN} {shlex.join(units)}; echo")
    if is_supervised and services:
        # The status is 3 if one of them does not run. If supervisord is away, no state is printed: see SILENT.
        lines.append(f"date +%s; supervisorctl status {shlex.join(services.values())} || true")
    for each in services:
        file_of_it = f"{root}/running/{each}"
        lines.append(f'if [ -e {file_of_it} ]; then read -r it rest <{file_of_it}; echo "{_HERE}{each} $it"; fi')
    lines.append(f"if [ -e {root}/current ]; then echo {_HERE.strip()}; fi")
    lines.append(f"if [ -e {shlex.quote(file)} ]; then echo {_CLOSED}; else echo {_OPEN}; fi")
    return "\n".join(lines)


def releases_script(name: str) -> str:
    """A script that prints the releases that have been tried on a host, and the current one."""
    return "\n".join(
        [
            f"cd {_ROOT.format(name=name)} 2>/dev/null || exit 0",
            "for it in releases/*/tried; do",
            f'it=${{it%/tried}}; if [ -d "$it" ]; then echo "{_KEPT}${{it##*/}}"; fi',
            "done",
            f'if it=$(readlink current); then echo "{_CURRENT}${{it##*/}}"; fi',
        ]
    )


def kept_releases(said: str) -> tuple[tuple[str, ...], str]:
    """The releases that a host has, and the one that it serves; "" for none."""
    lines = said.splitlines()
    current = [line.removeprefix(_CURRENT) for line in lines if line.startswith(_CURRENT)]
    return tuple(line.removeprefix(_KEPT) for line in lines if line.startswith(_KEPT)), "".join(current[-1:])


def is_there(said: str) -> bool:
    """Whether something of the deployment is installed on the host that has said this."""
    return any(line.startswith(_HERE.strip()) for line in said.splitlines())


def is_closed(said: str) -> bool:
    """Whether the site is closed for maintenance."""
    return _CLOSED in said.splitlines()


def releases_of(said: str) -> dict[str, str]:
    """The release that each instance was started with."""
    words = (line.removeprefix(_HERE).split() for line in said.splitlines() if line.startswith(_HERE))
    return {found[0]: found[1] for found in words if len(found) == 2}


def services_of(said: str) -> dict[str, ServiceState]:
    """The states of services by their names, without `.service`."""
    return {**dict(_of_systemd(said)), **dict(_of_supervisor(said))}


def _of_systemd(said: str) -> Iterator[tuple[str, ServiceState]]:
    for block in said.split("\n\n"):
        about = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" in about:
            yield about["Id"].removesuffix(".service"), _unit(about)


def _unit(about: Mapping[str, str]) -> ServiceState:
    if about.get("LoadState") == "not-found":
        return NO_SERVICE
    since = about.get("ActiveEnterTimestamp", "").removeprefix("@")
    active, sub = about.get("ActiveState", ""), about.get("SubState", "")
    state = sub if active == "active" else active if active == sub else f"{active} ({sub})"
    since_s = float(since) if since.isdigit() and active == "active" else None
    return ServiceState(state, since_s, int(about.get("NRestarts", "0") or 0))


def _of_supervisor(said: str) -> Iterator[tuple[str, ServiceState]]:
    now_s = 0.0
    for line in said.splitlines():
        if line.isdigit():
            now_s = float(line)
        elif now_s and (found := _SUPERVISED.match(line)) is not None:
            up = _UPTIME.search(found["uptime"] or "")
            yield found["name"], ServiceState(found["state"].lower(), None if up is None else now_s - _seconds(up))


def _seconds(uptime: re.Match[str]) -> int:
    days, hours, minutes, seconds = (int(part or 0) for part in uptime.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def journal_script(units: Mapping[str, str], wanted: LogsWanted) -> str:
    """A script that prints the journal of units as JSON."""
    # Without --all, a message of more than 4096 bytes is null.
    words = ["journalctl", "--quiet", "--all", "--output=json", "--output-fields=MESSAGE,_SYSTEMD_UNIT,UNIT"]
    words += [f"--unit={unit}" for unit in units]
    if wanted.follow:
        words.append("--follow")
    if wanted.lines is not None:
        words.append(f"--lines={wanted.lines * len(units)}")
    elif wanted.follow:
        words.append("--no-tail")
    if wanted.since_s is not None:
        words.append(f"--since=@{wanted.since_s}")
    return f"exec {shlex.join(words)}"


def tail_script(files: Sequence[str], wanted: LogsWanted) -> str:
    """A script that prints the end of files, and new lines if they are wanted."""
    lines = "+1" if wanted.lines is None else str(wanted.lines)
    return f"exec {shlex.join(['tail', '-q', '-n', lines, *(['-F'] if wanted.follow else []), *files])}"


def reader_of_journal(units: Mapping[str, str]) -> Callable[[str], Line | None]:
    """What reads a line of the journal: the name of its instance, and its text."""

    def read(line: str) -> Line | None:
        try:
            about = json.loads(line)
        except ValueError:
            return None
        if not isinstance(about, dict):
            return None
        name = units.get(str(about.get("_SYSTEMD_UNIT"))) or units.get(str(about.get("UNIT")))
        return None if name is None else (name, _message(about.get("MESSAGE")))

    return read


def _message(value: Any) -> str:
    """The text of an entry: a text, the bytes of one that is not UTF-8, or several of either."""
    if not isinstance(value, list):
        return "" if value is None else str(value)
    if all(isinstance(each, int) for each in value):
        return bytes(each & 255 for each in value).decode("utf-8", "replace")
    return " ".join(map(_message, value))


def pid_script(service: str, *, is_supervised: bool) -> str:
    """A script that sets `pid` to the main process of a service; 0 if it does not run."""
    if is_supervised:
        return f"pid=$(supervisorctl pid {shlex.quote(service)} 2>/dev/null || echo 0)"
    return f"pid=$(systemctl show -p MainPID --value {shlex.quote(service)})"


# What belongs to the service's own process, and would mislead another one.
_ENTER = r'''
import json, os, re, sys
about, pid = json.loads(sys.argv[1]), sys.argv[2]
if not pid.isdigit() or pid == "0":
    sys.exit("app-server: " + about["name"] + ": is not running. `app-server deploy logs` says why.")
with open("/proc/" + pid + "/environ", "rb") as file:
    pairs = [os.fsdecode(pair).split("=", 1) for pair in file.read().split(b"\0") if b"=" in pair]
own = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "MAINPID", "INVOCATION_ID")
env = {name: value for name, value in pairs if name not in own and not name.startswith("SUPERVISOR_")}
env["PATH"] = about["bin"] + ":" + env.get("PATH", "/usr/local/bin:/usr/bin:/bin")
if "TERM" in os.environ:
    env["TERM"] = os.environ["TERM"]
with open("/proc/" + pid + "/status") as file:
    status = file.read()
uid, gid = (re.search("^" + kind + ":\\s+\\d+\\s+(\\d+)", status, re.M)[1] for kind in ("Uid", "Gid"))
words = ["nsenter", "--target", pid, "--mount", "--setuid", uid, "--setgid", gid, "--wd", "--", *about["words"]]
os.execvpe("nsenter", words, env)
'''.strip()
ENTER = f'exec python3 -c {shlex.quote(_ENTER)} "$1" "$pid"'
"""The end of a script that runs a command in the place of a process, as JSON in $1 describes it."""
