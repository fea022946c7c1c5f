"""Collections of garbage in a process that runs thousands of tests, and imports what each of them needs."""

from __future__ import annotations

import gc


class FullCollections:
    """Those of the oldest generation, each of which looks through all objects that are not frozen.

    After some thousand tests that takes half a second, and some tests ask for one or several.
    """

    def __init__(self) -> None:
        self._seen = _count()

    def freeze_survivors(self) -> None:
        """Once more collect all garbage, then look no more at what is left, if a full collection was made since.

        What is left are mostly modules, and results of tests. Call this between tests: what a test has made and let
        go of is collected in that test.
        """
        if _count() > self._seen:
            gc.collect()
            gc.freeze()
            self._seen = _count()


def _count() -> int:
    return int(gc.get_stats()[-1]["collections"])
