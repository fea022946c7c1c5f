"""The sidebar of the built manual is what docs/index.md says."""

from __future__ import annotations

from tools.manual.navigation import Section, sections, toctrees

INDEX = """\
# The manual

[A link](elsewhere.md) in a sentence is in no section.

## Tutorials

| I want to … | read |
|---|---|
| try it | [Getting started](getting-started.md) |

## How-to guides

### Run a server

| I want to … | read |
|---|---|
| run it | [Serving](serving.md#one), [Processes](processes.md), [again](processes.md) |
| contribute | [Contributing](../CONTRIBUTING.md), [a site](https://example.org/page.md) |

## Reference

No table here.
"""


def test_headings_above_tables_become_captions() -> None:
    assert sections(INDEX) == [
        Section("Tutorials", ("docs/getting-started",)),
        Section("How-to: run a server", ("docs/processes", "CONTRIBUTING")),
    ]


def test_each_section_becomes_a_hidden_toctree() -> None:
    written = toctrees(INDEX)
    assert written.count("```{toctree}") == 2
    assert "\n:hidden:\n:caption: Tutorials\n\n/docs/getting-started\n```\n" in written
    assert "\n/docs/processes\n/CONTRIBUTING\n```" in written
