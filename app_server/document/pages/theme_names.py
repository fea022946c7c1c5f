"""Names in a theme that no model has: bokeh ignores such a class; such a property fails the page that meets it."""

from __future__ import annotations

from collections.abc import Iterator

import bokeh.models  # noqa: F401 - the classes that are looked through
import yaml
from bokeh.core.has_props import HasProps

from app_server.errors import did_you_mean

_PARTS = ("attrs", "line_defaults", "fill_defaults", "text_defaults")


def unknown_names(text: str | bytes, where: str) -> list[str]:
    """A sentence for each name in the theme `text` that is likely mistyped, with its line in the file `where`.

    A class that nothing resembles is not mentioned: a model of that name may be defined later.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return []
    classes = _classes()
    found: list[str] = []
    for key, value in root.value:
        if key.value not in _PARTS and (meant := did_you_mean(key.value, _PARTS, alike=0.8)):
            found.append(f"{_line(where, key)}: {key.value}: themes have no such part. {meant}")
        elif key.value == "attrs" and isinstance(value, yaml.MappingNode):
            for name, properties in value.value:
                found += _unknown_in_class(name, properties, classes, where)
    return found


def _unknown_in_class(
    name: yaml.Node, properties: yaml.Node, classes: dict[str, list[type[HasProps]]], where: str
) -> Iterator[str]:
    if name.value not in classes:
        if meant := did_you_mean(name.value, classes, alike=0.8):
            yield f"{_line(where, name)}: attrs.{name.value}: no model has this name. {meant}"
        return
    known = {known for one in classes[name.value] for base in _family(one) for known in base.properties()}
    if isinstance(properties, yaml.MappingNode):
        for key, _ in properties.value:
            if key.value not in known:
                reference = f"See the properties of {name.value} in bokeh's reference."
                meant = did_you_mean(key.value, known, alike=0.8) or reference
                yield f"{_line(where, key)}: attrs.{name.value}.{key.value}: {name.value} has no such property. {meant}"


def _classes() -> dict[str, list[type[HasProps]]]:
    """The classes that a theme can name now, by their names."""
    named: dict[str, list[type[HasProps]]] = {}
    for one in _family(HasProps):
        named.setdefault(one.__name__, []).append(one)
    return named


def _family(cls: type[HasProps]) -> Iterator[type[HasProps]]:
    """A class and all that are derived from it; one may come more than once."""
    yield cls
    for derived in cls.__subclasses__():
        yield from _family(derived)


def _line(where: str, node: yaml.Node) -> str:
    return f"{where}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
