"""The Valkey in which a swarm's or a cluster's instances save their sessions."""

from __future__ import annotations

from typing import Final

from app_server.deployment.plan.values import Plan

# While it rewrites its file, it needs more memory than it holds.
_SHARE: Final = 3 / 5


def valkey_words(plan: Plan) -> tuple[str, ...]:
    """Its command. When it is full, it refuses to write more: a session that was thrown out could lose its owner."""
    memory_mb = round(plan.spec.containers.valkey.memory_mb * _SHARE)
    return (
        "valkey-server", "--protected-mode", "no", "--dir", "/data", "--save", "", "--appendonly", "yes",
        "--maxmemory", f"{memory_mb}mb", "--maxmemory-policy", "noeviction",
    )  # fmt: skip
