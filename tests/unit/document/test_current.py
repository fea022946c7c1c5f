from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import bokeh.io.doc
import pytest
from bokeh.document import Document
from bokeh.io import curdoc
from bokeh.io.doc import patch_curdoc, set_curdoc

from app_server.document.current import current_document, install


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


def test_what_callbacks_that_raised_have_left_behind_does_not_hinder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bokeh.io.doc, "_PATCHED_CURDOCS", [])
    with pytest.raises(ValueError):
        raise_as_a_callback()
    gc.collect()
    assert len(bokeh.io.doc._PATCHED_CURDOCS) == 1
    before = curdoc_or_none()
    assert before is None
    assert install()
    ours = Document()
    with current_document(ours):
        assert curdoc() is ours
    assert curdoc() is not ours


def test_what_is_patched_already_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bokeh.io.doc, "_PATCHED_CURDOCS", [])
    theirs = Document()
    with patch_curdoc(theirs):
        assert install()
        assert curdoc() is theirs
    assert curdoc() is not theirs


def raise_as_a_callback() -> None:
    """What bokeh does with a callback that raises: its entry stays."""
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
