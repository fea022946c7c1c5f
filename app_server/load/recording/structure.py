"""Models that are named by what they are rather than by their id, which is another one in each session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app_server.load.outline import Place

KEY: Final = "$model"
"""What stands for a reference in a recording: class, name, and the how manieth of these it is, from 0."""


class Unknown(LookupError):
    """A value refers to a model that is not in the page, or defines one."""


def with_places(value: Any, places: Mapping[str, Place]) -> Any:
    """The same JSON with places instead of ids. Unknown if it contains a model that has no place."""
    if isinstance(value, list):
        return [with_places(item, places) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"id"}:
        place = places.get(str(value["id"]))
        if place is None:
            raise Unknown(str(value["id"]))
        return {KEY: [place.kind, place.name, place.nth]}
    if value.get("type") == "object" and "id" in value:
        raise Unknown(str(value["id"]))
    return {key: with_places(item, places) for key, item in value.items()}


def with_ids(value: Any, ids: Mapping[Place, str]) -> Any:
    """The same JSON with ids instead of places. Unknown if the page lacks such a model."""
    if isinstance(value, list):
        return [with_ids(item, ids) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {KEY}:
        place = Place(*value[KEY])
        if place not in ids:
            raise Unknown(f"{place.kind} {place.name}".rstrip())
        return {"id": ids[place]}
    return {key: with_ids(item, ids) for key, item in value.items()}
