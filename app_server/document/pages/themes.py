"""A `theme.yaml` becomes a theme that documents share; its faults are reported with file and line."""

from __future__ import annotations

import logging
from pathlib import Path

import yaml
from bokeh.document import Document
from bokeh.themes import Theme

from app_server.document.pages.theme_names import unknown_names
from app_server.errors import ApplicationError

log = logging.getLogger(__name__)

__all__ = ["Document", "Theme", "apply_theme", "load_theme"]


def load_theme(path: Path, *, shown: str | None = None) -> Theme:
    """The theme of a YAML file, or an `ApplicationError` that names the file as `shown`.

    Names in it that no model has are logged: they are no error while no document meets them.
    bokeh never changes a theme after its making, so one theme may serve every document.
    """
    where = shown or str(path)
    try:
        text = path.read_bytes()
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = where if mark is None else f"{where}:{mark.line + 1}:{mark.column + 1}"
        what = f"the theme is not YAML: {error.problem or error.context}"
        raise ApplicationError(what, where=place, hint="Correct the file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        what = f"the theme is not YAML: {str(error).splitlines()[0]}"
        raise ApplicationError(what, where=where, hint="Correct the file") from error
    except OSError as error:
        what = f"the theme cannot be read: {error.strerror}"
        raise ApplicationError(what, where=where, hint="Give the server's user permission to read it") from error
    check_theme(content, where)
    for sentence in unknown_names(text, where):
        log.warning("%s", sentence)
    return Theme(json=content or {})


def check_theme(content: object, where: str) -> None:
    """Refuse content of another shape than bokeh's: a mapping whose `attrs` map class names to properties."""
    hint = "Write it as `attrs:`, below it class names, below each its properties"
    if content is not None and not isinstance(content, dict):
        raise ApplicationError("the theme is not a mapping", where=where, hint=hint)
    parts = content or {}
    for part in ("attrs", "line_defaults", "fill_defaults", "text_defaults"):
        if not isinstance(parts.get(part, {}), dict):
            raise ApplicationError(f"{part} of the theme is not a mapping", where=where, hint=hint)
    for name, properties in parts.get("attrs", {}).items():
        if not isinstance(properties, dict):
            raise ApplicationError(f"attrs.{name} of the theme is not a mapping", where=where, hint=hint)


def apply_theme(document: Document, theme: Theme) -> None:
    """Make `theme` the source of the defaults of the document's models."""
    document.theme = theme
