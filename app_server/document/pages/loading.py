"""The first parts of BokehJS in a page's head, and the script that opens the socket and loads the others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from app_server.document.pages.parts import BEFORE, CORE, PARTS, asked_for_by

_ADDRESS = re.compile(rf"(?:^|/)({'|'.join(sorted(PARTS, reverse=True))})(?:-\d[^/?]*?)?(?:\.min)?\.js(?:\?|$)")
_HEAD = re.compile(r"<head(?:\s[^>]*)?>", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_POLICY: Final = "content-security-policy"
_PATIENCE_MS: Final = 10_000
"""How long after it was loaded a page may take to ask for its socket and to be drawn."""
_TAGS: Final = ('<script src="{}"></script>', '<script type="text/javascript" src="{}"></script>')
"""How templates write them: bokeh's own, and Panel's."""


def addresses_of(files: Iterable[str]) -> dict[str, str]:
    """The parts of BokehJS among these files, with their addresses."""
    return {match[1]: file for file in reversed([*files]) if (match := _ADDRESS.search(file))}


def loaded_early(
    html: str, addresses: Mapping[str, str], first: frozenset[str], token: str, app_path: str | None
) -> str:
    """The page with the socket opened first, and without the tags of parts that are not among `first`.

    The page as it is if it does not have the tags as bokeh's templates write them, each once: who writes them by hand
    knows why.
    """
    tags = {part: _tag_in(html, address) for part, address in addresses.items()}
    if CORE not in tags or None in tags.values():
        return html
    late = [part for part in PARTS if part in tags and part not in first]
    script = early_script(token, app_path, {part: addresses[part] for part in late})
    for part in late:
        html = html.replace(str(tags[part]), "")
    at = _place_of_script(html, html.index(str(tags[CORE])))
    return f"{html[:at]}{script}{html[at:]}"


def _place_of_script(html: str, core_at: int) -> int:
    """The beginning of the head, where no style sheet delays the script; BokehJS's place if the head has a policy."""
    # Browsers skip comments, also those that only old ones have read.
    before = _COMMENT.sub(lambda comment: " " * len(comment[0]), html[:core_at])
    head = _HEAD.search(before)
    return core_at if head is None or _POLICY in html[head.end() : core_at].lower() else head.end()


def _tag_in(html: str, address: str) -> str | None:
    found = [tag for form in _TAGS if html.count(tag := form.format(address)) == 1]
    return found[0] if found else None


def early_script(token: str, app_path: str | None, late: Mapping[str, str]) -> str:
    """The HTML of the script at the beginning of a page; `late` are the parts that it loads, with their addresses."""
    names = list(late)
    parts = [
        {
            "name": name,
            "url": url,
            "asked": asked_for_by(name),
            "after": [names.index(other) for other in BEFORE.get(name, ()) if other in late],
        }
        for name, url in late.items()
    ]
    given = ", ".join(map(_literal, (token, app_path, parts, _PATIENCE_MS)))
    return f"<script>{_source()}({given});</script>"


def _literal(value: Any) -> str:
    # In a script "</" would end the element.
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


@cache
def _source() -> str:
    """The script without its comments and indentation: it is in every page."""
    lines = Path(__file__).with_name("loading.js").read_text(encoding="utf-8").splitlines()
    return "\n".join(text for line in lines if (text := line.strip()) and not text.startswith("//"))
