"""What is written down of a page, and what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app_server.load.recording import recorder as recording
from app_server.load.recording.recorder import Recorder
from app_server.load.wire import TEXT, frame


class Clock:
    """Seconds that a test sets."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def said(kind: str, content: Any) -> bytes:
    """A server's message."""
    header = json.dumps({"msgtype": kind, "msgid": "1"}).encode()
    return b"".join(frame(TEXT, part) for part in (header, b"{}", json.dumps(content).encode()))


def model(kind: str, ident: str) -> dict[str, Any]:
    return {"type": "object", "name": kind, "id": ident}


DOCUMENT = {"roots": [model("Slider", "p1"), model("PasswordInput", "p2"), model("FileInput", "p3")]}


def change(ident: str, attr: str, new: Any) -> dict[str, Any]:
    return {"kind": "ModelChanged", "model": {"id": ident}, "attr": attr, "new": new}


def pulled(clock: Clock) -> Recorder:
    """A recorder of a page that has its document."""
    made = Recorder("/app", clock)
    made.sent([said("ACK", {}), said("PULL-DOC-REPLY", {"doc": DOCUMENT})])
    return made


def test_times_begin_when_the_page_has_its_document() -> None:
    clock = Clock()
    made = Recorder("/app", clock)
    made.received([change("p1", "value", 0)], has_buffers=False)  # before the page knows what there is
    clock.now_s += 5
    made.sent([said("PULL-DOC-REPLY", {"doc": DOCUMENT})])
    clock.now_s += 1.5
    made.received([change("p1", "value", 3)], has_buffers=False)
    clock.now_s += 2
    found = made.finish()
    assert found is not None and (found.application, found.seconds, found.left_out) == ("/app", 3.5, 0)
    (only,) = found.messages
    assert only.at_s == 1.5 and only.events[0]["model"] == {"$model": ["Slider", "", 0]}


def test_passwords_and_files_are_not_written_down() -> None:
    made = pulled(Clock())
    made.received([change("p2", "value", "secret")], has_buffers=False)
    made.received([change("p3", "value", "Zm9v")], has_buffers=False)
    made.received([change("p1", "value", 1)], has_buffers=True)
    found = made.finish()
    assert found is not None and found.left_out == 2
    assert b"secret" not in found.dump() and b"Zm9v" not in found.dump() and b'"xxxxxx"' in found.dump()


def submitted(ident: str, words: Any) -> dict[str, Any]:
    """What a browser sends when someone presses Enter in a field, if the application listens."""
    values = {"type": "map", "entries": [["model", {"id": ident}], ["value", words]]}
    data = {"type": "event", "name": "value_submit", "values": values}
    return {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": data}


def test_password_that_is_submitted_is_not_written_down() -> None:
    made = pulled(Clock())
    made.received([submitted("p2", "secret")], has_buffers=False)
    made.received([submitted("p1", "plain")], has_buffers=False)
    odd = submitted("p2", "secret")
    odd["msg_data"]["values"] = {"model": {"id": "p2"}, "value": "secret"}
    made.received([odd], has_buffers=False)
    found = made.finish()
    assert found is not None and found.left_out == 1
    (password, plain) = (said.events[0]["msg_data"]["values"]["entries"] for said in found.messages)
    assert password == [["model", {"$model": ["PasswordInput", "", 0]}], ["value", "xxxxxx"]]
    assert plain[1] == ["value", "plain"] and b"secret" not in found.dump()


def test_models_that_the_application_adds_later_are_known() -> None:
    made = pulled(Clock())
    made.sent([said("PATCH-DOC", {"events": [{"kind": "RootAdded", "model": model("Select", "p8")}]})])
    made.received([change("p8", "value", "a")], has_buffers=False)
    made.received([change("p99", "value", "a")], has_buffers=False)
    made.received([{"kind": "RootAdded", "model": model("Slider", "p77")}], has_buffers=False)
    found = made.finish()
    assert found is not None and len(found.messages) == 1 and found.left_out == 2


def test_recording_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_MESSAGES", 2)
    monkeypatch.setattr(recording, "LARGEST_MESSAGE", 500)
    made = pulled(Clock())
    made.received([change("p1", "value", "x" * 600)], has_buffers=False)
    for value in range(5):
        made.received([change("p1", "value", value)], has_buffers=False)
    found = made.finish()
    assert found is not None and len(found.messages) == 2 and found.truncated and found.left_out == 1


def test_page_in_which_nothing_was_done_gives_no_recording() -> None:
    assert pulled(Clock()).finish() is None
