"""The changes of several turns as they are saved: values that were set again are left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from app_server.document.encoding.patch_encoder import PatchEncoder
from app_server.document.saving.whole import Part
from app_server.protocol.codec import dumps


def parts_of(turns: Sequence[PatchEncoder]) -> Iterator[Part]:
    """The turns in their order; of plain changes that follow each other, each property's last one."""
    plain: dict[tuple[str, str], dict[str, Any]] = {}
    for turn in _needed(turns):
        events = turn.plain_events()
        if events is None:
            yield from _written(plain)
            plain = {}
            content = turn.content()
            if content is not None:
                yield content[0], [(ident, bytes(payload)) for ident, payload in content[1]]
            continue
        for event in events:
            key = event["model"]["id"], event["attr"]
            plain.pop(key, None)
            plain[key] = event
    yield from _written(plain)


def _needed(turns: Sequence[PatchEncoder]) -> list[PatchEncoder]:
    """The turns without those of which nothing is left when the others are over.

    Such a turn only sets values, all of which others set again, and until then all turns only set values: what streams
    into a value, or names a model, may need what came before.
    """
    needed: list[PatchEncoder] = []
    set_later: set[tuple[str, str]] = set()
    for turn in reversed(turns):
        values = turn.values_set()
        if values is None:
            set_later.clear()
        elif values <= set_later:
            continue
        else:
            set_later |= values
        needed.append(turn)
    needed.reverse()
    return needed


def _written(plain: dict[tuple[str, str], dict[str, Any]]) -> Iterator[Part]:
    if plain:
        yield dumps({"events": list(plain.values())}), []
