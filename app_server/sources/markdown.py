"""The code of a Markdown application: its Python blocks run, the text between them is shown.

What is shown, and where, is as under `panel serve`: text is shown if Panel was loaded by a block before its end, and
the last heading of the first level is the title. The program has as many lines as the file, and each line of code is in
its own place, so an error names the line of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_OPENING = re.compile(r"(?P<indent>\s*)(?P<fence>`{3,})\s*(?P<language>[^`]*?)\s*$")
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
"""Python's; `str.splitlines` also breaks lines at characters that may stand in a text."""
_RUN = frozenset({"python", "{pyodide}"})
"""The languages whose blocks run."""

_EXTENDS = "pn.extension"
_SHOW = "__import__('panel').pane.Markdown({text!r}).servable()"
_NAME_TEMPLATE = "__import__('panel').state.template.title = {title!r}"
_NAME_PAGE = "__import__('panel').state.curdoc.title = {title!r}"


@dataclass(frozen=True, slots=True)
class MarkdownProgram:
    """The Python of a Markdown file, and its title; both are empty if the file has none."""

    python: str
    title: str


def read_markdown(content: str) -> MarkdownProgram:
    """The program that a Markdown file is. Without a block of Python, there is nothing to run."""
    reader = _Reader()
    for line in _LINE_ENDS.split(content.removesuffix("\n")):
        reader.read(line)
    return reader.program()


class _Reader:
    """Goes through the lines of a file, and writes a line of the program for each."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._text: list[str] = []
        self._title = ""
        self._fence: re.Match[str] | None = None
        """The opening line of the block that is being read."""
        self._has_code = False
        self._extended = False
        """Whether a block has loaded Panel's extension."""
        self._templated = False

    def read(self, line: str) -> None:
        """Read the next line."""
        if self._fence is None:
            self._outside(line)
        elif line.lstrip().startswith(self._fence["fence"]):
            if not self._runs:
                self._text.append(line)
            self._fence = None
            self._lines.append("")
        elif self._runs:
            self._code(_without_indent(line, len(self._fence["indent"])))
        else:
            self._text.append(line)
            self._lines.append("")

    def program(self) -> MarkdownProgram:
        """The program of what has been read."""
        if not self._has_code:
            return MarkdownProgram("", self._title)
        end = [*self._shown()]
        if self._title and self._extended:
            name = _NAME_TEMPLATE if self._templated else _NAME_PAGE
            end.append(name.format(title=self._title))
        return MarkdownProgram("\n".join([*self._lines, *end, ""]), self._title)

    @property
    def _runs(self) -> bool:
        return self._fence is not None and self._fence["language"] in _RUN

    def _outside(self, line: str) -> None:
        self._fence = _OPENING.match(line)
        if self._runs:
            self._has_code = True
            # The opening line is free for the text that stands before it.
            self._lines.append("".join(self._shown()))
            return
        if self._fence is None and line.startswith("# "):
            self._title = line[2:].strip()
        else:
            self._text.append(line)
        self._lines.append("")

    def _code(self, line: str) -> None:
        self._lines.append(line)
        self._extended = self._extended or _EXTENDS in line
        self._templated = self._templated or (_EXTENDS in line and "template=" in line)

    def _shown(self) -> Iterator[str]:
        """What shows the text that was read since the last block; nothing before Panel is loaded."""
        text, self._text = "".join(f"{line}\n" for line in self._text), []
        if text and self._extended:
            yield _SHOW.format(text=text)


def _without_indent(line: str, width: int) -> str:
    """A line of a block that is part of a list, as far left as the block itself."""
    return line[width:] if not line[:width].strip() else line
