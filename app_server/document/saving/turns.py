"""The changes of several turns as they are saved: one JSON for those that set plain values, in their last place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from app_server.document.encoding.patch_encoder import PatchEncoder
from app_server.document.saving.whole import Part
from app_server.protocol.codec import dumps


def parts_of(turns: Sequence[PatchEncoder]) -> Iterator[Part]:
    """The turns in their order; of plain changes that follow each other, each property's last one."""
    plain: dict[tuple[str, str], dict[str, Any]] = {}
    for turn in turns:
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


def _written(plain: dict[tuple[str, str], dict[str, Any]]) -> Iterator[Part]:
    if plain:
        yield dumps({"events": list(plain.values())}), []
