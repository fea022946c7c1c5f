"""A deployment on hosts that Ansible has set up."""

from __future__ import annotations

import json
import posixpath
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from app_server.deployment.daily import scripts, ssh
from app_server.deployment.daily.deployed import Line, LogSource, LogsWanted, known_name, no_proxy, nothing_runs
from app_server.deployment.daily.states import (
    PROXY,
    DeploymentState,
    InstanceState,
    Maintenance,
    applications_of,
    missing,
)
from app_server.deployment.plan.values import Instance, Machine, Plan
from app_server.deployment.render.services.supervisor import program_of
from app_server.deployment.render.services.systemd import unit_of
from app_server.errors import OperatorError, OperatorErrors

TARGET = "ansible"


@dataclass(frozen=True)
class HostsDeployment:
    """The instances as services of hosts, each reached by ssh. `password` is for sudo, None if it needs none."""

    plan: Plan
    password: str | None = None

    def state(self) -> DeploymentState:
        """What runs on each host that can be reached."""
        answers = ssh.ask_all({each.name: (each, self._look(each)) for each in self.plan.machines}, self.password)
        faults = tuple(answer.fault for answer in answers if answer.fault is not None)
        if not any(scripts.is_there(answer.said) for answer in answers) and not faults:
            raise nothing_runs(self.plan.name, TARGET)
        found = {state.name: state for answer in answers for state in self._states(answer)}
        instances = tuple(found[each.name] for each in self.plan.instances)
        proxies = tuple(state for state in found.values() if state.name == PROXY)
        maintenance = self._maintenance(answers)
        return DeploymentState(self.plan.name, TARGET, self.plan.site.url, maintenance, (*instances, *proxies), faults)

    def releases(self) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
        """The releases that every host still has, the one that all serve ("" if they differ), and what has failed."""
        script = scripts.releases_script(self.plan.name)
        answers = ssh.ask_all({each.name: (each, script) for each in self.plan.machines}, self.password)
        faults = tuple(answer.fault for answer in answers if answer.fault is not None)
        found = [scripts.kept_releases(answer.said) for answer in answers if answer.fault is None]
        common = [each for each in (found[0][0] if found else ()) if all(each in kept for kept, _ in found)]
        current = {each for _, each in found}
        return tuple(common), current.pop() if len(current) == 1 else "", faults

    def set_maintenance(self, closed: bool) -> tuple[str, ...]:
        """Make the file that the proxies look for, or remove it, on each host with a proxy."""
        if not self.plan.has_proxy:
            raise no_proxy()
        file = shlex.quote(self.plan.maintenance_file)
        folder = shlex.quote(posixpath.dirname(self.plan.maintenance_file))
        # Older versions closed their own folder to the proxy's user, who then saw no file.
        seen = f"chmod o+x {folder} && " if posixpath.dirname(self.plan.maintenance_file) == self.plan.paths.etc else ""
        script = f"mkdir -p {folder} && {seen}touch {file}" if closed else f"rm -f {file}"
        scripts_of = {each.name: (each, script) for each in self.plan.machines if each.is_proxy}
        answers = ssh.ask_all(scripts_of, self.password)
        done = tuple(answer.machine.name for answer in answers if answer.fault is None)
        faults = [answer.fault for answer in answers if answer.fault is not None]
        if faults:
            where = f"Done on {', '.join(done)}." if done else "Nothing was done."
            raise OperatorErrors([OperatorError(fault, hint=where) for fault in faults])
        return done

    def logs(self, wanted: LogsWanted) -> Sequence[LogSource]:
        """One program for each host that has a wanted instance, and one for each wanted proxy's files."""
        names = [known_name(name, self._names()) for name in wanted.names] or list(self._by_name())
        return [source for machine in self.plan.machines for source in self._logs_of(machine, names, wanted)]

    def command(self, name: str, words: Sequence[str], *, terminal: bool) -> Sequence[str]:
        """Run it on the instance's host: as its user, in its folder, with its variables, and what its service sees."""
        name = known_name(name, self._by_name())
        instance = self._by_name()[name]
        machine = self._machine_of(instance)
        pid = scripts.pid_script(self._service(instance), is_supervised=self._is_supervised)
        bin_folder = posixpath.dirname(self.plan.paths.command[0])
        about = json.dumps({"bin": bin_folder, "words": list(words), "name": name})
        return ssh.words_on(machine, f"{pid}\n{scripts.ENTER}", about, terminal=terminal)

    def _look(self, machine: Machine) -> str:
        services = {each.name: self._service(each) for each in machine.instances}
        return scripts.look_script(
            self.plan.name, services, self.plan.maintenance_file,
            proxy=self._proxy_service if machine.is_proxy and self.plan.has_proxy else None,
            is_supervised=self._is_supervised,
        )  # fmt: skip

    def _states(self, answer: ssh.Answer) -> Iterator[InstanceState]:
        host = answer.machine.name
        if answer.fault is not None:
            for each in answer.machine.instances:
                yield missing(self.plan, each, host, "unknown")
            return
        known = scripts.services_of(answer.said)
        releases = scripts.releases_of(answer.said)
        for each in answer.machine.instances:
            # What has a release was installed: then its manager does not answer.
            silent = scripts.SILENT if each.name in releases else scripts.NO_SERVICE
            about = known.get(self._service(each).removesuffix(".service"), silent)
            yield InstanceState(
                each.name, host, about.state, about.since_s, releases.get(each.name, ""),
                applications_of(self.plan, each.name), about.restarts,
            )  # fmt: skip
        if answer.machine.is_proxy and self.plan.has_proxy:
            about = known.get(self._proxy_service, scripts.NO_SERVICE)
            yield InstanceState(PROXY, host, about.state, about.since_s)

    def _maintenance(self, answers: Sequence[ssh.Answer]) -> Maintenance:
        if not self.plan.has_proxy:
            return "no proxy"
        asked = [answer for answer in answers if answer.machine.is_proxy]
        closed = {scripts.is_closed(answer.said) for answer in asked if answer.fault is None}
        if len(closed) != 1:
            return "partly on" if closed else "unknown"
        return "on" if closed.pop() else "off"

    def _logs_of(self, machine: Machine, names: Sequence[str], wanted: LogsWanted) -> Iterator[LogSource]:
        services = {self._service(each): each.name for each in machine.instances if each.name in names}
        if services and self._is_supervised:
            for name in services.values():
                file = f"{self.plan.paths.log}/{name}.log"
                yield self._tail(machine, name, [file], wanted)
        elif services:
            yield self._source(machine, scripts.journal_script(services, wanted), scripts.reader_of_journal(services))
        if PROXY in names and machine.is_proxy:
            files = [f"{self.plan.paths.log}/{kind}.log" for kind in ("access", "error")]
            yield self._tail(machine, PROXY, files, wanted)

    def _tail(self, machine: Machine, name: str, files: Sequence[str], wanted: LogsWanted) -> LogSource:
        if wanted.since_s is not None:
            hint = "Give --lines instead."
            raise OperatorError("cannot choose lines of a file by their time", where="--since", hint=hint)

        def read(line: str) -> Line | None:
            return (name, line) if not line.startswith("tail: ") else None

        return self._source(machine, scripts.tail_script(files, wanted), read)

    def _source(self, machine: Machine, script: str, read: Callable[[str], Line | None]) -> LogSource:
        words = ssh.words_on(machine, script, types=self.password is not None)
        return LogSource(machine.name, tuple(words), read, typed=ssh.typed(self.password))

    def _names(self) -> list[str]:
        return [*self._by_name(), *([PROXY] if self.plan.has_proxy else [])]

    def _by_name(self) -> Mapping[str, Instance]:
        return {each.name: each for each in self.plan.instances}

    def _machine_of(self, instance: Instance) -> Machine:
        return next(machine for machine in self.plan.machines if instance in machine.instances)

    @property
    def _is_supervised(self) -> bool:
        return self.plan.spec.service.manager == "supervisor"

    @property
    def _proxy_service(self) -> str:
        return "apache2" if self.plan.spec.proxy.kind == "apache" else "nginx"

    def _service(self, instance: Instance) -> str:
        return program_of(self.plan, instance) if self._is_supervised else unit_of(self.plan, instance)
