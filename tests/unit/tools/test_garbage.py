"""What full collections look through in a process that runs many tests."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from tests.support.descriptors import collected_later
from tests.support.garbage import FullCollections


class Kept:
    """Something that stays."""

    itself: Kept


def is_looked_at(thing: object) -> bool:
    """Whether a collection looks at it."""
    return any(thing is each for each in gc.get_objects())


@pytest.fixture(autouse=True)
def no_other_collection() -> Iterator[None]:
    """Garbage is collected only where a test says so."""
    with collected_later():
        yield


def test_survivors_of_a_full_collection_are_looked_at_no_more() -> None:
    collections, kept = FullCollections(), Kept()
    collections.freeze_survivors()
    assert is_looked_at(kept)
    gc.collect()
    collections.freeze_survivors()
    assert not is_looked_at(kept)
    later = Kept()
    collections.freeze_survivors()
    assert is_looked_at(later)


def test_what_is_let_go_of_is_freed_all_the_same() -> None:
    collections, kept, ring = FullCollections(), Kept(), Kept()
    ring.itself = ring
    seen, seen_ring = weakref.ref(kept), weakref.ref(ring)
    gc.collect()
    del ring
    collections.freeze_survivors()
    assert seen_ring() is None
    del kept
    assert seen() is None
