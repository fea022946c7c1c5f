"""Whatever happens to a journal, it restores to a state that the session really had, or to a fresh session."""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.models import Column, ColumnDataSource, Div, Slider, TextInput
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app_server.store.base import session_key
from tests.support.examples import examples
from tests.unit.engine.saving.making import Process, model, shown, turn
from tests.unit.engine.saving.stores import turns

Step = tuple[str, Any]

STEPS = st.one_of(
    st.tuples(st.just("slide"), st.integers(0, 1000)),
    st.tuples(st.just("type"), st.text(max_size=20)),
    st.tuples(st.just("stream"), st.integers(1, 5)),
    st.tuples(st.just("patch"), st.integers(0, 99)),
    st.tuples(st.just("data"), st.integers(0, 50)),
    st.tuples(st.just("root"), st.text(max_size=10)),
    st.tuples(st.just("unroot"), st.none()),
    st.tuples(st.just("title"), st.text(max_size=10)),
    st.tuples(st.just("state"), st.integers()),
    st.tuples(st.just("join"), st.none()),
    st.tuples(st.just("save"), st.none()),
)
DEFAULTS = (("TextInput", "value", ""), ("Div", "text", ""))
DAMAGE = st.tuples(st.sampled_from(("cut", "alter", "remove")), st.floats(0, 1), st.integers(1, 255))


def build(document: Any) -> None:
    slider, shows = Slider(name="slider", start=0, end=1000, value=0), Div(name="shows")
    slider.on_change("value", lambda attr, old, new: shows.update(text=f"it is {new}"))
    source = ColumnDataSource({"x": np.arange(3.0), "y": [1, 2, 3]}, name="source")
    document.add_root(Column(children=[slider, TextInput(name="text"), shows]))
    document.add_root(source)


def act(process: Process, session: Any, client: Any, step: Step) -> None:
    """Do what a person, or a callback of the application, does."""
    kind, value = step
    document, source = session.document, model(session, "source")
    more = [root for root in document.roots if isinstance(root, Div)]
    callbacks: dict[str, Callable[[], Any]] = {
        "stream": lambda: source.stream({"x": np.arange(float(value)), "y": [value] * value}, rollover=40),
        "patch": lambda: source.patch({"y": [(0, value)]}) if len(source.data["y"]) else None,
        "data": lambda: source.update(data={"x": np.linspace(0, 1, value), "y": list(range(value))}),
        "root": lambda: document.add_root(Div(text=value)),
        "unroot": lambda: document.remove_root(more[-1]) if more else None,
        "title": lambda: setattr(document, "title", value),
        "state": lambda: session.context.state.update(number=value),
    }
    if kind in callbacks:
        turn(process, session, callbacks[kind])
    elif kind == "join":
        process.view(session)
    else:
        name, attr = ("slider", "value") if kind == "slide" else ("text", "value")
        client.set(model(session, name), attr, value)


async def play(folder: Path, steps: list[Step]) -> tuple[bytes, set[str], list[Any]]:
    """The journal of a session in which this was done; every document, and every state, that it had meanwhile."""
    process = Process(folder, build)
    session = await process.session()
    had, states = {text(session)}, [dict(session.context.state)]
    client = process.view(session)
    for step in [*steps, ("save", None)]:
        if step[0] == "save":
            await process.save()
        else:
            act(process, session, client, step)
            await turns()
        had.add(text(session))
        states.append(dict(session.context.state))
    await process.kill()
    return file_of(folder).read_bytes(), had, states


def text(session: Any) -> str:
    """The document as a browser gets it, to be compared."""
    return json.dumps(_without_defaults(shown(session)), sort_keys=True)


def _without_defaults(value: Any) -> Any:
    """The same without what a browser has by itself: it is not there before it was set for the first time."""
    if isinstance(value, list):
        return [_without_defaults(item) for item in value]
    if not isinstance(value, dict):
        return value
    name, attributes = value.get("name"), value.get("attributes")
    if isinstance(attributes, dict):
        usual = {attr: found for kind, attr, found in DEFAULTS if kind == name}
        value = {**value, "attributes": {key: each for key, each in attributes.items() if usual.get(key) != each}}
    return {key: _without_defaults(item) for key, item in value.items()}


def file_of(folder: Path) -> Path:
    return folder / f"{session_key('/app', 'one')}.session"


def damaged(journal: bytes, how: str, where: float, by: int) -> bytes:
    at = min(int(where * len(journal)), len(journal) - 1)
    if how == "cut":
        return journal[:at]
    if how == "alter":
        return journal[:at] + bytes([journal[at] ^ by]) + journal[at + 1 :]
    return journal[:at] + journal[at + by :]


@contextmanager
def logged() -> Iterator[list[logging.LogRecord]]:
    """The warnings that are logged in the block."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = records.append  # type: ignore[method-assign]
    log = logging.getLogger("app_server")
    log.addHandler(handler)
    try:
        yield records
    finally:
        log.removeHandler(handler)


async def restored(folder: Path, journal: bytes, restore: Any) -> tuple[str, Any]:
    """The document and the state of a session of which this was left."""
    process = Process(folder, build, restore=restore)
    process.store.check()
    file_of(folder).write_bytes(journal)
    session = await process.session()
    found = text(session), dict(session.context.state)
    await process.kill()
    return found


@example(steps=[("save", None), ("type", "0"), ("slide", 1), ("type", "")], damage=[("cut", 1.0, 1)], restore="inputs")
@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(STEPS, max_size=25),
    damage=st.lists(DAMAGE, min_size=1, max_size=8),
    restore=st.sampled_from(["inputs", "values"]),
)
def test_damaged_journal_restores_to_a_state_that_the_session_had(
    steps: list[Step], damage: list[tuple[str, float, int]], restore: Any
) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as place:
            journal, had, states = await play(Path(place) / "0", steps)
            final = await restored(Path(place) / "whole", journal, restore)
            assert final[0] in had and final[1] == states[-1]
            for number, each in enumerate(damage, start=1):
                with logged() as records:
                    document, state = await restored(Path(place) / str(number), damaged(journal, *each), restore)
                assert document in had
                assert state in states
                assert len(records) <= 1, [record.getMessage() for record in records]

    asyncio.run(run())


def test_every_cut_of_a_journal_restores(tmp_path: Path) -> None:
    """All of one journal, from its first byte to its last: a step of 7 meets every part of its records."""
    steps: list[Step] = [
        ("slide", 7), ("save", None), ("type", "ü"), ("stream", 3), ("save", None), ("root", "more"), ("title", "t"),
        ("slide", 8), ("save", None), ("data", 4), ("state", 1),
    ]  # fmt: skip

    async def run() -> None:
        journal, had, states = await play(tmp_path / "0", steps)
        fresh, seen = (await restored(tmp_path / "fresh", b"", "inputs"))[0], set()
        for size in range(0, len(journal), 7):
            with logged() as records:
                document, state = await restored(tmp_path / str(size), journal[:size], "inputs")
            assert document in had and state in states
            assert len(records) == (1 if size else 0) or document != fresh
            seen.add(document)
        assert len(seen) >= 4

    asyncio.run(run())
