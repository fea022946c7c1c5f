"""What can be rendered. It imports nothing, so that help can list it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Layout = Literal["host", "containers"]
"""What a plan is worked out for: services of hosts, or each instance in a container."""


@dataclass(frozen=True, slots=True)
class Target:
    """One target: the module that renders it, what it is, and what it does to people when its files change.

    `effect` is a sentence for `--diff`, None where nobody can notice. `layout` is what its plan is worked out for.
    """

    module: str
    about: str
    effect: str | None = None
    layout: Layout = "host"


TARGETS: dict[str, Target] = {
    "commands": Target("commands", "the commands that start the instances, for a shell"),
    "nginx": Target("nginx", "nginx's site: one file for the http context",
                    "a reload; open sockets stay where they are until they end."),
}  # fmt: skip
