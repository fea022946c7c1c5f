from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

import bokeh.io.doc
import pytest
from bokeh.document import Document
from bokeh.io import curdoc
from bokeh.io.doc import patch_curdoc, set_curdoc

from app_server.document.current import current_document, install

HAS_CONTEXTS = isinstance(bokeh.io.doc._PATCHED_CURDOCS, ContextVar)


@pytest.fixture(autouse=True)
def _installed() -> None:
    assert install()


def test_curdoc_is_the_document_of_the_block() -> None:
    outer, inner = Document(), Document()
    before = curdoc()
    with current_document(outer):
        assert curdoc() is outer
        with current_document(inner):
            assert curdoc() is inner
        assert curdoc() is outer
    assert curdoc() is before


def test_block_that_raises_puts_the_document_back() -> None:
    before = curdoc()
    with pytest.raises(ValueError), current_document(Document()):
        raise ValueError
    assert curdoc() is before


async def test_interleaved_tasks_see_their_own_documents() -> None:
    async def watch() -> bool:
        document = Document()
        with current_document(document):
            for _ in range(10):
                await asyncio.sleep(0)
                if curdoc() is not document:
                    return False
            return await asyncio.create_task(child(document))

    async def child(document: Document) -> bool:
        await asyncio.sleep(0)
        return curdoc() is document

    assert await asyncio.gather(*(watch() for _ in range(5))) == [True] * 5


def test_threads_see_no_others_document() -> None:
    seen: list[Document] = []
    with current_document(Document()) as _:
        document = curdoc()
        thread = threading.Thread(target=lambda: seen.append(curdoc()))
        thread.start()
        thread.join()
    assert seen[0] is not document


def test_bokehs_own_patching_goes_on_working() -> None:
    ours, theirs = Document(), Document()
    with current_document(ours):
        with patch_curdoc(theirs):
            assert curdoc() is theirs
        assert curdoc() is ours


def test_set_curdoc_holds_outside_of_blocks() -> None:
    before, chosen = curdoc(), Document()
    set_curdoc(chosen)
    try:
        assert curdoc() is chosen
    finally:
        set_curdoc(before)


def test_documents_are_not_kept_alive() -> None:
    document = Document()
    alive = weakref.ref(document)
    with current_document(document):
        pass
    del document
    gc.collect()
    assert alive() is None


def test_what_callbacks_that_raised_have_left_behind_does_not_hinder(untaught: None) -> None:
    with pytest.raises(ValueError):
        raise_as_a_callback()
    gc.collect()
    assert len(entries()) == (0 if HAS_CONTEXTS else 1)
    assert HAS_CONTEXTS or curdoc_or_none() is None
    assert install()
    ours = Document()
    with current_document(ours):
        assert curdoc() is ours
    assert curdoc() is not ours


def test_what_is_patched_already_stays_so(untaught: None) -> None:
    theirs = Document()
    with patch_curdoc(theirs):
        assert install()
        assert curdoc() is theirs
    assert curdoc() is not theirs


@pytest.fixture
def untaught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bokeh before it is taught; 3.10 needs no teaching."""
    if not HAS_CONTEXTS:
        monkeypatch.setattr(bokeh.io.doc, "_PATCHED_CURDOCS", [])


def entries() -> Sequence[Any]:
    """What bokeh has of current documents."""
    kept: Any = bokeh.io.doc._PATCHED_CURDOCS
    return kept.get() if HAS_CONTEXTS else kept  # type: ignore[no-any-return]


def raise_as_a_callback() -> None:
    """What bokeh does with a callback that raises: in 3.9, its entry stays."""
    document = Document()
    with patch_curdoc(document):
        raise ValueError


def curdoc_or_none() -> Document | None:
    try:
        return curdoc()
    except RuntimeError:
        return None


def test_installing_again_changes_nothing() -> None:
    assert install() and install()
