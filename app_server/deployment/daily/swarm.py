"""A deployment in a swarm, seen from one of its managers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app_server.deployment.daily.containers import exec_words, log_words, moment, revision_in
from app_server.deployment.daily.deployed import Line, LogSource, LogsWanted, known_name, nothing_runs
from app_server.deployment.daily.states import (
    PROXY,
    DeploymentState,
    InstanceState,
    applications_of,
    with_missing,
)
from app_server.deployment.image_names import ImageName
from app_server.deployment.plan.values import Plan
from app_server.deployment.render.containers.swarm import service_of
from app_server.deployment.rollout import docker
from app_server.deployment.rollout.swarm import TARGET, require_manager, updates_of
from app_server.errors import OperatorError

_LINE = re.compile(r"^(?P<service>\S+?)\.(?P<slot>[a-z0-9]+)@(?P<node>\S+) +\| ?(?P<text>.*)$")
_STATES = {"running": "healthy", "starting": "starting", "preparing": "starting", "assigned": "starting"}
"""What the swarm calls a task, as it is called elsewhere: one runs only when it is healthy."""


@dataclass(frozen=True, slots=True)
class Task:
    """A container that the swarm runs or wants to run: the instance, its node, and how it is."""

    name: str
    service: str
    node: str
    node_id: str
    state: str
    since_s: float | None
    image: str
    container: str
    error: str


@dataclass(frozen=True)
class SwarmDeployment:
    """A stack. The plan's instances are called by their slots."""

    plan: Plan

    def state(self) -> DeploymentState:
        """What the swarm runs and wants to run, on all nodes."""
        tasks = self._tasks()
        revisions = {image: revision_in(image) for image in {task.image for task in tasks if task.name != PROXY}}
        found = [_state(self.plan, task, revisions.get(task.image, "")) for task in tasks]
        proxies = sorted((each for each in found if each.name == PROXY), key=lambda each: each.host)
        instances = with_missing(self.plan, [each for each in found if each.name != PROXY])
        notes = [f"{name}: update {state}" for name, state in updates_of(self.plan.name).items() if state not in _CALM]
        notes += [f"{task.name} on {task.node or 'no node'}: {task.error}" for task in tasks if task.error]
        return DeploymentState(
            self.plan.name, TARGET, self.plan.site.url, "on" if self._is_closed() else "off",
            (*instances, *proxies), notes=tuple(notes),
        )  # fmt: skip

    def set_maintenance(self, closed: bool) -> tuple[str, ...]:
        """Make or remove the file that the proxies look for, on every node that has a proxy.

        A job does that on each node. While the site is closed, the job stays, so a node that joins is closed, too.
        """
        self._tasks()
        docker.succeeds("service", "rm", self._job)
        file = self.plan.maintenance_file
        self._run_job("touch" if closed else "rm -f", file)
        if not closed:
            docker.run("service", "rm", self._job)
        return tuple(sorted(task.node for task in self._tasks() if task.name == PROXY))

    def logs(self, wanted: LogsWanted) -> Sequence[LogSource]:
        """One program for each service; the manager gets the lines of all nodes."""
        tasks = self._tasks()
        known = list(dict.fromkeys(task.name for task in tasks))
        names = {known_name(name, known) for name in wanted.names} or {name for name in known if name != PROXY}
        services = sorted({task.service for task in tasks if task.name in names})

        def read(line: str) -> Line | None:
            found = self._read(line)
            return None if found is None or found[0].partition("@")[0] not in names else found

        words = ("docker", "service", "logs", "--no-task-ids", *log_words(wanted))
        return [LogSource(service, (*words, service), read) for service in services]

    def command(self, name: str, words: Sequence[str], *, terminal: bool) -> Sequence[str]:
        """Run it in the instance's container, if that is on the node of this engine."""
        tasks = self._tasks()
        name = known_name(name, dict.fromkeys(task.name for task in tasks))
        here = docker.run("info", "--format", "{{.Swarm.NodeID}}").strip()
        running = [task for task in tasks if task.name == name and task.state == "running"]
        ours = [task for task in running if task.node_id == here]
        if not running:
            raise OperatorError("is not running", where=name, hint="`app-server deploy status` says more.")
        if not ours:
            node = running[0].node
            hint = f"Run the command there, or with DOCKER_HOST=ssh://{node}."
            raise OperatorError(f"runs on {node}, and this engine is another node's", where=name, hint=hint)
        return exec_words(ours[0].container, words, terminal=terminal)

    @property
    def _job(self) -> str:
        return f"{self.plan.name}_maintenance"

    def _is_closed(self) -> bool:
        return bool(docker.inspected("service", [self._job]))

    def _run_job(self, what: str, file: str) -> None:
        """Run a command on the file on each node where a proxy runs, and wait until it is done."""
        about = json.loads(docker.run("service", "inspect", f"{self.plan.name}_{PROXY}"))[0]["Spec"]["TaskTemplate"]
        constraints = (about.get("Placement") or {}).get("Constraints") or []
        folder = file.rpartition("/")[0]
        docker.run(
            "service", "create", "--quiet", "--name", self._job, "--mode", "global-job", "--no-resolve-image",
            "--restart-condition", "on-failure", "--restart-max-attempts", "3",
            "--mount", f"type=volume,source={self.plan.name}_closed,target={folder}",
            *(word for each in constraints for word in ("--constraint", each)),
            "--user", str(about["ContainerSpec"].get("User", "")), "--read-only", "--no-healthcheck",
            about["ContainerSpec"]["Image"], *what.split(), file, where="the job for maintenance",
        )  # fmt: skip

    def _tasks(self) -> list[Task]:
        """What shall run. OperatorError without such a stack."""
        require_manager()
        of_ours = f"label=com.docker.stack.namespace={self.plan.name}"
        services = docker.run("service", "ls", "--filter", of_ours, "--format", "{{.ID}} {{.Name}}")
        names = dict(line.split(None, 1) for line in services.splitlines())
        if not names:
            raise nothing_runs(self.plan.name, TARGET)
        words = ("service", "ps", "--quiet", "--no-trunc", "--filter", "desired-state=running", *names)
        ids = docker.run(*words, of_what_is_left=True).split()
        return list(tasks_of(self.plan, docker.inspected("task", ids), names, _nodes()))

    def _read(self, line: str) -> Line | None:
        """A line as the swarm prints it: `site_app.1@one | text`."""
        found = _LINE.match(line)
        if found is None:
            return None
        name = name_of(self.plan, found["service"], found["slot"])
        return f"{name}@{found['node']}", found["text"]


_CALM = ("", "completed")


def _nodes() -> Mapping[str, str]:
    listed = docker.run("node", "ls", "--format", "{{.ID}} {{.Hostname}}")
    return dict(line.split(None, 1) for line in listed.splitlines())


def tasks_of(
    plan: Plan, known: Sequence[Mapping[str, Any]], services: Mapping[str, str], nodes: Mapping[str, str]
) -> Iterator[Task]:
    """The tasks that `docker inspect` describes; both mappings give names by ids."""
    for about in known:
        status = about["Status"]
        # Ids of services are cut off where they are listed.
        service = next((name for id, name in services.items() if str(about["ServiceID"]).startswith(id)), "")
        node_id = str(about.get("NodeID", ""))
        yield Task(
            name=name_of(plan, service, str(about.get("Slot", ""))),
            service=service,
            node=nodes.get(node_id, ""),
            node_id=node_id,
            state=str(status["State"]),
            since_s=moment(str(status["Timestamp"])),
            image=str(about["Spec"]["ContainerSpec"]["Image"]).partition("@")[0],
            container=str((status.get("ContainerStatus") or {}).get("ContainerID", "")),
            error=str(status.get("Err", "")),
        )


def name_of(plan: Plan, service: str, slot: str) -> str:
    """What the instance in a slot of a service is called: a1; other services by their own names, such as proxy."""
    short = service.removeprefix(f"{plan.name}_")
    for pool in plan.pools:
        if short == service_of(pool) and slot.isdigit() and 0 < int(slot) <= len(pool.instances):
            return pool.instances[int(slot) - 1].name
    return short


def _state(plan: Plan, task: Task, revision: str) -> InstanceState:
    state = _STATES.get(task.state, task.state)
    release = ImageName.of(task.image).tag if task.name != PROXY else ""
    applications = applications_of(plan, task.name)
    return InstanceState(
        task.name, task.node, state, task.since_s, release, applications, revision=revision if applications else ""
    )
