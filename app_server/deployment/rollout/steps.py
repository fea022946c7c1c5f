"""What a roll-out has to do, decided from what is wanted and what is running. It performs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from app_server.deployment.image_names import ImageName

PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class Step:
    """One service of compose.yaml, and what to do with it."""

    kind: Literal["start", "replace", "reload", "keep", "remove"]
    service: str


def steps(
    wanted: Mapping[str, str], running: Mapping[str, str], *, everything: bool = False, reconfigured: bool = False
) -> Sequence[Step]:
    """What to do with each service, in this order; both mappings give the fingerprint of each service's configuration.

    `reconfigured` says that the proxy has read another configuration.

    New instances start first, so there are never fewer than before. The others are replaced one after another. Then
    the proxy is updated, which must not lose an address that is still in use. Unwanted instances stop last.
    """
    return [
        *(Step("start", name) for name in wanted if name != PROXY and name not in running),
        *_changes([name for name in wanted if name != PROXY and name in running], wanted, running, everything),
        *(
            Step("reload", PROXY) if reconfigured and step.kind == "keep" else step
            for step in _changes([name for name in wanted if name == PROXY], wanted, running, everything)
        ),
        *(Step("remove", name) for name in running if name not in wanted),
    ]


def _changes(
    names: Sequence[str], wanted: Mapping[str, str], running: Mapping[str, str], everything: bool
) -> Iterator[Step]:
    for name in names:
        if name not in running:
            yield Step("start", name)
        elif everything or wanted[name] != running[name]:
            yield Step("replace", name)
        else:
            yield Step("keep", name)


def content_name(image: str, image_id: str) -> str:
    """A name for an image that says what is in it: `site:latest` and sha256:4f2a... give `site:4f2a...`."""
    return f"{ImageName.of(image).repository}:{image_id.removeprefix('sha256:')[:12]}"


def ago(releases: Sequence[int], current: int | None, back: int = 1) -> int | None:
    """The number of the release `back` before the current one, None if there is none."""
    before = [number for number in sorted(releases) if current is not None and number < current]
    return before[-back] if len(before) >= back else None
