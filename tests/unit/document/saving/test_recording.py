"""What is noted of a session's changes until it is saved."""

from __future__ import annotations

from typing import Any

import pytest
from bokeh.models import ColumnDataSource, DataRange1d, PasswordInput, Slider

from app_server.document import engine
from app_server.document.encoding import patch
from app_server.document.encoding.document_encoder import encode_document
from app_server.document.encoding.patch_encoder import PatchEncoder
from app_server.document.saving.laying import DOCUMENT, Changed
from app_server.document.saving.recording import Recording
from app_server.document.served import ServedDocument, new_document

engine.install()


class Session:
    """A document whose changes are recorded, as those of a session with a client, a turn for each change."""

    def __init__(self, excluded: tuple[str, ...] = (), most_bytes: int = 10_000) -> None:
        self.document: ServedDocument = new_document("s")
        self.slider, self.source = Slider(start=0, end=9, value=5), ColumnDataSource({"x": [1]})
        self.password = PasswordInput()
        for model in (self.slider, self.source, self.password):
            self.document.add_root(model)
        encode_document(self.document)
        self.due = 0
        self.viewed = True
        self.recording = Recording(self.note_due, excluded, most_bytes)
        self.document.on_change(self.patched)  # type: ignore[arg-type]

    def note_due(self) -> None:
        self.due += 1

    def patched(self, event: Any) -> None:
        self.recording.changed(event, sent=self.viewed)
        if self.viewed:
            patch = PatchEncoder(self.document)
            patch.add(event)
            patch.close()
            self.recording.sent(patch)


def test_turns_are_taken_once_with_what_they_changed() -> None:
    session = Session()
    session.slider.value = 7
    session.slider.title = "a"
    session.slider.value = 8
    assert session.due == 3
    taken = session.recording.take()
    assert taken.turns is not None and len(taken.turns) == 3
    assert taken.changed == (
        Changed(session.slider.id, "title", False), Changed(session.slider.id, "value", False),
    )  # fmt: skip
    again = session.recording.take()
    assert again.turns == () and again.changed == ()


def test_all_changes_are_in_the_order_of_the_last_one_and_go_with_their_model() -> None:
    session = Session()
    session.slider.value = 7
    session.document.title = "t"
    session.recording.take()
    session.slider.value = 8
    session.source.name = "n"
    assert [change[:2] for change in session.recording.all_changed()] == [
        (DOCUMENT, "TitleChanged"), (session.slider.id, "value"), (session.source.id, "name"),
    ]  # fmt: skip
    assert session.recording.take(whole=True).changed == session.recording.all_changed()
    session.recording.keep([session.slider.id])
    assert {change.model for change in session.recording.all_changed()} == {DOCUMENT, session.slider.id}
    session.recording.resume([Changed("m", "value", True)])
    assert session.recording.all_changed() == (Changed("m", "value", True),)


def test_bounds_count_as_changed_only_if_the_application_sets_them() -> None:
    session = Session()
    found = DataRange1d()
    session.document.add_root(found)
    session.recording.take()
    for attr in ("start", "end"):
        change = {"kind": "ModelChanged", "model": {"id": found.id}, "attr": attr, "new": 4}
        content = {"events": [change]}
        for event in patch.read_events(session.document, content, [], setter="a client", max_bytes=10**6):
            patch.apply(session.document, event)
    found.end = 9
    assert session.recording.take().changed == (Changed(found.id, "end", False),)


@pytest.mark.parametrize("why", ["no client", "new client", "password", "excluded", "asked", "much"])
def test_whole_document_is_saved_if_changes_do_not_say_all(why: str) -> None:
    session = Session(most_bytes=500 if why == "much" else 10_000)
    session.slider.value = 7
    if why == "no client":
        session.viewed = False
        session.slider.value = 8
    elif why == "new client":
        session.recording.viewed()
    elif why == "password":
        session.password.value = "secret"
    elif why == "excluded":
        session.recording._excluded = {session.source.id}  # type: ignore[misc]
        session.source.name = "n"
    elif why == "asked":
        session.recording.save_whole()
    else:
        session.source.name = "n" * 600
    session.slider.value = 9
    taken = session.recording.take()
    assert taken.turns is None and Changed(session.slider.id, "value", False) in taken.changed
    assert session.recording.take().turns == ()


def test_what_waits_is_freed_only_if_it_is_much() -> None:
    session = Session()
    session.slider.value = 7
    session.recording.shed(1000)
    assert session.recording._turns
    session.source.name = "n" * 2000
    session.recording.shed(1000)
    assert not session.recording._turns and session.recording.take().turns is None
