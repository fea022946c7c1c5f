"""What users of other servers and libraries have reported as lost or wrong in a restored session is right here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from bokeh.models import Button, Column, Select

from app_server.protocol import messages
from tests.unit.engine.saving.making import Client, Process, differences, model, shown

Play: TypeAlias = Callable[[Process, Client], None]
CITIES = {"Chile": ["Arica", "Lota"], "Peru": ["Lima", "Cusco"]}


def nothing(process: Process, client: Client) -> None:
    """Do nothing."""


def restored(
    folder: Path, build: Callable[[Any], object], play: Play, look: Callable[[Any], object], then: Play = nothing
) -> tuple[object, object, object]:
    """What `look` finds in a session when it is killed, when it was restored, and after what is done `then`."""

    async def live() -> tuple[object, object, object]:
        first = Process(folder, build)
        session = await first.session()
        play(first, first.view(session))
        await first.save()
        before, found = shown(session), look(session)
        await first.kill()
        second = Process(folder, build)
        again = await second.session()
        assert second.gauges.restored == 1
        assert differences(shown(again), before) == []
        after = look(again)
        then(second, second.view(again))
        await second.save()
        last = look(again)
        await second.kill()
        return found, after, last

    return asyncio.run(live())


def click(client: Client, name: str) -> None:
    """Click a button."""
    entries = [["model", {"id": model(client.session, name).id}]]
    event = {"type": "event", "name": "button_click", "values": {"type": "map", "entries": entries}}
    client.send(messages.PATCH_DOC, {"events": [{"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}]})


def choose(*choices: tuple[str, str]) -> Play:
    """Choose these values in these lists; a name without a value is a button to click."""

    def play(process: Process, client: Client) -> None:
        for name, value in choices:
            if value:
                client.set(model(client.session, name), "value", value)
            else:
                click(client, name)

    return play


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(choose(("country", "Peru"), ("city", "Cusco")), id="one after the other"),
        pytest.param(choose(("city", "Lota"), ("country", "Peru"), ("city", "Cusco")), id="to and fro"),
        pytest.param(choose(("peru", ""), ("city", "Cusco")), id="after a callback"),
        pytest.param(choose(("city", "Lota"), ("peru", "")), id="before a callback"),
    ],
)
def test_inputs_that_decide_on_others_are_given_before_them(
    tmp_path: Path, play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    places: list[list[str]] = []

    def build(document: Any) -> None:
        country = Select(options=list(CITIES), value="Chile", name="country")
        city = Select(options=CITIES["Chile"], value="Arica", name="city")
        peru, place = Button(name="peru"), ["Chile", "Arica"]
        places.append(place)

        def chosen(attr: str, old: str, new: str) -> None:
            city.options = CITIES[new]
            city.value = CITIES[new][0]

        def moved(attr: str, old: str, new: str) -> None:
            place[:] = country.value, new
            assert new in CITIES[country.value]

        country.on_change("value", chosen)
        city.on_change("value", moved)
        peru.on_click(lambda: setattr(country, "value", "Peru"))
        document.add_root(Column(country, city, peru))

    before, after, last = restored(
        tmp_path, build, play, lambda session: list(places[-1]), choose(("country", "Chile"), ("city", "Lota"))
    )
    assert after == before and before[0] == "Peru"
    assert last == ["Chile", "Lota"]
    assert caplog.text == ""
