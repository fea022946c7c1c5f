"""What can be rendered. It imports nothing, so help can list it quickly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Layout = Literal["host", "containers", "cluster", "compose", "platform"]
"""What a plan is worked out for: services of hosts; each instance in a container, reached by its name; the same in a
cluster, whose own balancer has the usual ports; containers on one machine, where the proxy reaches them by sockets; a
hosting platform, whose router is the proxy."""


@dataclass(frozen=True, slots=True)
class Target:
    """One target: the module that renders it, what it is, and what it does to people when its files change.

    `effect` is a sentence for `--diff`, None if no one can notice. `layout` is what its plan is worked out for.
    """

    module: str
    about: str
    effect: str | None = None
    layout: Layout = "host"


TARGETS: dict[str, Target] = {
    "acme": Target("proxies.acme", "scripts and a timer for a certificate by ACME (tls: acme)"),
    "alerts": Target("monitoring.alerts", "Prometheus's alert rules", "alerts are judged by the new rules."),
    "apache": Target("proxies.apache", "Apache: a site, and its global settings",
                     "a graceful reload; open sockets stay where they are until they end."),
    "commands": Target("services.commands", "the commands that start the instances, for a shell"),
    "nginx": Target("proxies.nginx", "nginx's site: one file for the http context",
                    "a reload; open sockets stay where they are until they end."),
    "compose": Target("containers.compose",
                      "compose.yaml for Docker on one machine, and what the proxy's image is built with",
                      "new containers, by `app-server deploy compose` one after another.", "compose"),
    "swarm": Target("containers.swarm", "a stack for Docker Swarm: the proxy on every node, and instances that move",
                    "new containers, each beside the old one first, which then drains.", "containers"),
    "kubernetes": Target("kubernetes.manifests",
                         "manifests for a cluster: a StatefulSet, the proxy, and their policies",
                         "pods, replaced one after another; each drains.", "cluster"),
    "kustomize": Target("kubernetes.kustomize",
                        "the same as a base, components and overlays for `kubectl apply -k`",
                        "pods, replaced one after another; each drains.", "cluster"),
    "heroku": Target("platforms.heroku", "a Procfile for Heroku and similar platforms",
                     "new dynos; open pages reconnect to them.", "platform"),
    "cloud-run": Target("platforms.cloud_run", "a service of Google Cloud Run",
                        "a new revision; open pages reconnect to it.", "platform"),
    "spaces": Target("platforms.spaces", "a Space of Hugging Face, made with Docker",
                     "a new container; open pages reconnect to it.", "platform"),
    "azure": Target("platforms.azure", "an Azure Container App",
                    "a new revision; open pages reconnect to it.", "platform"),
    "all-in-one": Target("containers.all_in_one", "nginx and all instances in one container, under supervisor",
                         "a new container; open pages reconnect to it.", "compose"),
    "gunicorn": Target("services.gunicorn", "gunicorn's configuration of each instance",
                       "a reload of each instance (HUP); sessions continue in their old workers."),
    "grafana": Target("monitoring.grafana", "a dashboard for Grafana"),
    "inventory": Target("inventory", "an inventory for Ansible: hosts, what each runs, and which files go there"),
    "logrotate": Target("services.logrotate", "logrotate's rule for the proxy's logs"),
    "prometheus": Target("monitoring.prometheus", "the instances that Prometheus asks for metrics"),
    "ssh": Target("services.ssh", "tunnels: ssh's configuration, their units, and what the other side allows",
                  "a restart of the tunnels; pages that use them reconnect within seconds."),
    "supervisor": Target("services.supervisor", "supervisor's programs, one for each instance",
                         "a restart of the changed instances, one after another; their sessions move."),
    "systemd": Target("services.systemd", "units of the instances, sandboxed, and a target for all of them",
                      "a restart of the changed instances, one after another; their sessions move."),
}  # fmt: skip
