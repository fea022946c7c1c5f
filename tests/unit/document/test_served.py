"""What an unlocked callback may do with its document."""

from __future__ import annotations

import pytest

from app_server.document.served import new_document


@pytest.mark.parametrize("name", ["title", "theme", "template", "template_variables", "anything"])
def test_attribute_cannot_be_set(name: str) -> None:
    document = new_document("one")
    unlocked = document.unlocked()
    with pytest.raises(AttributeError) as raised:
        setattr(unlocked, name, "x")
    assert str(raised.value) == (
        f"An unlocked callback cannot set {name} of the document: other callbacks may be changing it."
        " Set it in a callback that you add with add_next_tick_callback."
    )


def test_next_tick_callbacks_come_and_go() -> None:
    document = new_document("one")
    unlocked = document.unlocked()
    handle = unlocked.add_next_tick_callback(lambda: None)
    assert len(document.session_callbacks) == 1
    unlocked.remove_next_tick_callback(handle)
    assert document.session_callbacks == []
    with pytest.raises(AttributeError, match="add_next_tick_callback"):
        unlocked.add_root  # noqa: B018
