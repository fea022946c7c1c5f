"""How the document is encoded for the clients that pull it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from bokeh.models import ColumnDataSource

from app_server.document.served import ServedDocument, new_document
from app_server.session import whole_document
from app_server.session.whole_document import Prepared, WholeDocument

READY = Prepared((), b'{"prepared":1}', [], inline=False)


def filled() -> ServedDocument:
    """A document with an array."""
    document = new_document("one")
    with document.at_work():
        document.add_root(ColumnDataSource({"x": np.zeros(3)}))
    return document


def test_array_is_a_buffer_for_the_first_client_and_inline_for_those_that_return(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(whole_document, "REPULLED_BUFFERS_ARE_READ", False)
    whole = WholeDocument(filled(), None)
    assert not whole.was_pulled
    assert len(whole.pull()[1]) == 1 and whole.was_pulled
    assert whole.pull()[1] == []


def test_array_is_a_buffer_for_all_clients_if_bokehjs_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_document, "REPULLED_BUFFERS_ARE_READ", True)
    whole = WholeDocument(filled(), None)
    assert [len(whole.pull()[1]) for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("are_read", [False, True])
def test_page_from_elsewhere_gets_arrays_inline_each_time(are_read: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_document, "REPULLED_BUFFERS_ARE_READ", are_read)
    whole = WholeDocument(filled(), READY)
    whole.expect_returning_page()
    for _ in range(2):
        content, buffers = whole.pull()
        assert "doc" in json.loads(content) and buffers == []


def test_what_was_prepared_is_used_once_unless_the_document_changes() -> None:
    whole = WholeDocument(filled(), READY)
    assert whole.pull() == (b'{"prepared":1}', [])
    assert "doc" in json.loads(whole.pull()[0])
    changed = WholeDocument(filled(), READY)
    changed.changed()
    assert "doc" in json.loads(changed.pull()[0])


def test_prepared_document_is_what_the_first_pull_would_encode() -> None:
    whole = WholeDocument(filled(), None)
    whole.prepare()
    prepared = whole.prepared
    assert prepared is not None and not prepared.inline and len(prepared.buffers) == 1
    assert whole.pull() == (prepared.content, prepared.buffers)
