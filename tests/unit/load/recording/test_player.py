"""Playing a recording in another session."""

from __future__ import annotations

from random import Random
from typing import Any

from app_server.load.meter import Meter
from app_server.load.outline import Outline
from app_server.load.recording.format import Recording, Said
from app_server.load.recording.player import Playback


def change(name: str, new: Any) -> dict[str, Any]:
    return {"kind": "ModelChanged", "model": {"$model": ["Slider", name, 0]}, "attr": "value", "new": new}


RECORDING = Recording("/app", 10.0, (Said(2.0, (change("", 1),)), Said(5.0, (change("other", 2),))))


async def test_messages_keep_their_times_and_get_the_ids_of_the_page() -> None:
    outline, meter = Outline({"roots": [{"type": "object", "name": "Slider", "id": "q5"}]}), Meter()
    steps = [step async for step in Playback((RECORDING,)).steps(outline, Random(1), meter)]
    pace = sum(step.after_s for step in steps) / 10.0
    assert 0.8 <= pace <= 1.25
    assert [round(step.after_s / pace, 6) for step in steps] == [2.0, 0.0, 3.0, 0.0, 5.0]
    assert steps[1].events == ({"kind": "ModelChanged", "model": {"id": "q5"}, "attr": "value", "new": 1},)
    assert steps[3].events == () and meter.take().missing == 1


async def test_model_that_comes_meanwhile_is_found() -> None:
    outline, meter = Outline({"roots": [{"type": "object", "name": "Slider", "id": "q5"}]}), Meter()
    found = []
    async for step in Playback((RECORDING,)).steps(outline, Random(1), meter):
        found += step.events
        if step.events and step.events[0]["new"] == 1:
            added = {"type": "object", "name": "Slider", "id": "q6", "attributes": {"name": "other"}}
            outline.apply([{"kind": "RootAdded", "model": added}])
    assert [event["model"] for event in found] == [{"id": "q5"}, {"id": "q6"}]
