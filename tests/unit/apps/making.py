"""What the tests of applications share."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path

# Writes files, given as a mapping of paths to texts, below the test's folder, and returns that.
Write = Callable[[dict[str, str]], Path]

MENDED = "Correct it, and restart the server; --dev does so by itself"


def notebook(*cells: str, **metadata: object) -> str:
    """The JSON of a notebook of format 4 with a text cell and these code cells."""
    code = [
        {
            "cell_type": "code",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": textwrap.dedent(cell).strip("\n").splitlines(keepends=True),
        }
        for cell in cells
    ]
    text = {"cell_type": "markdown", "metadata": {}, "source": "# %title"}
    return json.dumps({"cells": [text, *code], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})
