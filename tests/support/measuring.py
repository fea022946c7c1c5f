"""Which processes of a test run coverage measures."""

from __future__ import annotations

from collections.abc import Mapping


def unmeasured(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process that is not measured.

    Other projects' programs only become slow by it, and the time and memory that ours take would be coverage's too.
    """
    return {name: text for name, text in environ.items() if not name.startswith("COVERAGE_")}
