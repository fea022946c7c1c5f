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
        """Leave the objects that there are to the end of the process, if a full collection was made since.

        What it has left are mostly modules, and results of tests. Call this between tests: what a test has made and
        let go of is collected in that test.
        """
        if (count := _count()) > self._seen:
            self._seen = count
            gc.freeze()


def _count() -> int:
    return int(gc.get_stats()[-1]["collections"])
