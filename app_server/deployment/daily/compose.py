"""A deployment with compose, on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app_server.deployment.daily.container_log import LOG, ContainerLog
from app_server.deployment.daily.containers import Container, by_instance, containers, exec_words, log_words, state_of
from app_server.deployment.daily.deployed import LogSource, LogsWanted, known_name, no_proxy, nothing_runs
from app_server.deployment.daily.states import (
    PROXY,
    DeploymentState,
    InstanceState,
    Maintenance,
    applications_of,
    with_missing,
)
from app_server.deployment.plan.values import Plan
from app_server.deployment.rollout import docker
from app_server.deployment.rollout.contents import named_images
from app_server.deployment.rollout.store import Store
from app_server.errors import OperatorError

TARGET = "compose"
PROJECT = "com.docker.compose.project"


@dataclass(frozen=True)
class ComposeDeployment:
    """A project of compose. The store has the releases, if it was rolled out with this program."""

    plan: Plan
    store: Store

    def state(self) -> DeploymentState:
        """What runs, and which release each container is of."""
        found = self._found()
        # Releases may share an image: of those, the current one is meant.
        current = self.store.current()
        numbers = sorted(self.store.releases(), key=lambda number: (number != current, -number))
        releases = {number: named_images(self.store.path(number)) for number in numbers}
        states = [_state(self.plan, name, each, releases) for name, each in found.items()]
        proxies = tuple(each for each in states if each.name == PROXY)
        instances = with_missing(self.plan, [each for each in states if each.name != PROXY])
        maintenance = self._maintenance(found.get(PROXY))
        return DeploymentState(self.plan.name, TARGET, self.plan.site.url, maintenance, (*instances, *proxies))

    def set_maintenance(self, closed: bool) -> tuple[str, ...]:
        """Make the file that the proxy looks for, in its volume, or remove it."""
        proxy = _proxy_of(self.plan, self._found())
        file = self.plan.maintenance_file
        docker.run("exec", proxy.id, *(("touch", file) if closed else ("rm", "-f", file)), where=PROXY)
        return (PROXY,)

    def logs(self, wanted: LogsWanted) -> Sequence[LogSource]:
        """One program for each container; when it has ended, its log goes on as soon as it or another one runs."""
        found = self._found()
        names = [known_name(name, found) for name in wanted.names] or [name for name in found if name != PROXY]
        return [self._source(name, found[name], wanted) for name in dict.fromkeys(names)]

    def _source(self, name: str, container: Container, wanted: LogsWanted) -> LogSource:
        log = ContainerLog(name, container, lambda: self._listed().get(name), wanted.since_s)
        words = (*LOG, *log_words(wanted), container.id)
        return LogSource(name, words, log.line, log.after if wanted.follow else None)

    def command(self, name: str, words: Sequence[str], *, terminal: bool) -> Sequence[str]:
        """Run it in the instance's container."""
        found = self._found()
        container = found[known_name(name, found)]
        if container.status != "running":
            hint = "`app-server deploy logs` says why."
            raise OperatorError(f"its container is {container.status}", where=name, hint=hint)
        return exec_words(container.id, words, terminal=terminal)

    def _found(self) -> Mapping[str, Container]:
        """The containers by the names of instances. OperatorError if there is none."""
        found = self._listed()
        if not found:
            raise nothing_runs(self.plan.name, TARGET)
        return found

    def _listed(self) -> Mapping[str, Container]:
        """The containers by the names of instances, while one is replaced maybe none."""
        try:
            listed = containers(f"label={PROJECT}={self.plan.name}", "label=com.docker.compose.oneoff=False")
        except OperatorError:
            docker.require_engine()  # It knows better what is the matter.
            raise
        return dict(sorted(by_instance(listed).items(), key=lambda pair: (pair[0] == PROXY, pair[0])))

    def _maintenance(self, proxy: Container | None) -> Maintenance:
        if not self.plan.has_proxy:
            return "no proxy"
        if proxy is None or proxy.status != "running":
            return "unknown"
        script = 'if test -e "$1"; then echo on; else echo off; fi'
        try:
            said = docker.run("exec", proxy.id, "sh", "-c", script, "sh", self.plan.maintenance_file)
        except OperatorError:  # It was replaced meanwhile, or does not answer.
            return "unknown"
        return "on" if said.strip() == "on" else "off"


def _proxy_of(plan: Plan, found: Mapping[str, Container]) -> Container:
    proxy = found.get(PROXY)
    if not plan.has_proxy:
        raise no_proxy()
    if proxy is None or proxy.status != "running":
        raise OperatorError("is not running", where=PROXY, hint="`app-server deploy compose` starts it.")
    return proxy


def _state(plan: Plan, name: str, each: Container, releases: Mapping[int, Mapping[str, str]]) -> InstanceState:
    service = name if name == PROXY else f"app-{name}"
    release = next((str(number) for number, images in releases.items() if images.get(service) == each.image), "")
    return InstanceState(
        name, "", state_of(each), each.started_s, release, applications_of(plan, name), each.restarts
    )  # fmt: skip
