"""What a person does in a page. Each act returns when the application has done all that follows from it at once."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from typing import Any

from app_server.guests.guest import Step
from app_server.testing.errors import CannotDo, hidden
from app_server.testing.moves import choices, components
from app_server.testing.moves.files import dropped, sent, uploaded
from app_server.testing.moves.planning import plan, property_of
from app_server.testing.moves.step import Changes, among, listed, refuse
from app_server.testing.moves.tables import cell
from app_server.testing.outline import is_a, says
from app_server.testing.reading import Reading

__tracebackhide__ = hidden

_MODIFIERS = {"shift": False, "ctrl": False, "alt": False}
_GROUPS = ("RadioGroup", "RadioButtonGroup", "CheckboxGroup", "CheckboxButtonGroup", "Tabs")


class Acting(Reading):
    """What a person does. AppFailure if the application fails at it, CannotDo if a person could not do it."""

    def set(self, widget: Any, **values: Any) -> None:
        """Give a widget another value, such as `set(slider, value=3)`, as a person who moves it or types into it.

        The value must be one that the widget offers: between its ends and at a step, one of its options, no longer
        than it may be. Dates may be given as dates, choices of groups and tabs as their labels.
        """
        model = self._usable(widget)
        steps = self._site.runtime.guest.steps(widget, values)
        if steps is None:
            given = self._as_properties(widget, model, values)
            holder = components.holder(model, given)
            self._page.set(holder, plan(holder, given))
        elif not self._taken(steps):
            raise cannot_show(widget, values)

    def _taken(self, steps: Iterator[Step]) -> bool:
        """Whether there were any steps, which are taken now."""
        taken = False
        for part, values in steps:
            taken = True
            if values is None:
                self.click(part)
            else:
                self.set(part, **values)
        return taken

    def click(self, widget: Any, item: Any = None) -> None:
        """Click a button, a box, a switch or a card; `item` is the entry of a menu, group or tabs that is clicked."""
        model = self._usable(widget)
        if any(is_a(model, kind) for kind in _GROUPS):
            self._click_in_group(model, item)
        elif is_a(model, "Dropdown"):
            self._click_in_menu(model, item)
        elif components.is_button(model):
            self._page.fire("dom_event", model, node="click", data={})
        elif item is not None:
            raise refuse(model, "has no items")
        elif is_a(model, "AbstractButton"):
            if is_a(model, "Toggle"):
                self._page.set(model, ({"active": not model.active},))
            self._page.fire("button_click", model)
        elif is_a(model, "ToggleInput"):
            self._page.set(model, ({"active": not model.active},))
        elif getattr(model, "collapsible", False):
            self._page.set(model, ({"collapsed": not model.collapsed},))
        elif components.is_switch(model):
            self._page.set(model.data, ({"value": not model.data.value},))
        else:
            raise refuse(model, "cannot be clicked; for plots, see tap()")

    def _click_in_group(self, model: Any, item: Any) -> None:
        if item is None:
            raise refuse(model, f"say which item: {listed(getattr(model, 'labels', None) or _titles(model))}")
        if is_a(model, "CheckboxGroup") or is_a(model, "CheckboxButtonGroup"):
            nth = choices.index(model, item, model.labels)
            self._page.set(model, ({"active": sorted({*model.active} ^ {nth})},))
        else:
            self._page.set(model, plan(model, {"active": item}))
        if is_a(model, "ToggleButtonGroup"):
            self._page.fire("button_click", model)

    def _click_in_menu(self, model: Any, item: Any) -> None:
        if item is None:
            if not model.split:
                raise refuse(model, f"say which item: {listed(_entries(model))}")
            self._page.fire("button_click", model)
        else:
            chosen = among(model, item, _entries(model), "items")
            self._page.fire("menu_item_click", model, item=chosen)

    def type(self, widget: Any, text: str, *, enter: bool = True) -> None:
        """Type a text, letter by letter, in place of what is in a field; then press Enter, or only leave the field."""
        model = self._usable(widget)
        letters = [{"value_input": text[: size + 1]} for size in range(len(text))]
        if components.is_field(model):
            self._one_by_one(model.data, [*letters, {"value": text}])
            if enter:
                self._page.fire("dom_event", model, node="enter", data={})
            return
        if not is_a(model, "TextLikeInput"):
            raise refuse(model, "takes no text; see set()")
        *_, left = plan(model, {"value": text})
        if enter and is_a(model, "ChatAreaInput"):  # of Panel's: Enter sends the text, and the field is empty
            self._one_by_one(model, letters)
            self._page.fire("chat_message_event", model, value=text)
            self._page.set(model, ({"value_input": ""},))
            return
        self._one_by_one(model, [*letters, left])
        if enter and is_a(model, "TextInput"):
            self._page.fire("value_submit", model, value=text)
            self._page.fire("enter-pressed", model, value_input=text)  # the same of Panel's

    def _one_by_one(self, model: Any, changes: Changes) -> None:
        """Each change as slowly as a person makes it: Panel takes those that follow quickly for one."""
        for change in changes:
            self._page.set(model, (change,))

    def upload(
        self, widget: Any, *files: str | os.PathLike[str] | bytes, filename: str = "data.bin", mime_type: str = ""
    ) -> None:
        """Upload files by a file input: their paths, or the bytes of one with its `filename`."""
        model = self._usable(widget)
        if is_a(model, "FileDropper"):
            for event in dropped(model, files, filename, mime_type):
                self._page.fire("upload_event", model, data=event)
        elif components.takes_files(model):
            for message in sent(model, files, filename, mime_type):
                self._page.fire("data_event", model, data=message)
        else:
            self._page.set(model, uploaded(model, files, filename, mime_type))

    def download(self, widget: Any) -> bytes:
        """Click a download button of Panel's; what the browser would save."""
        model = self._usable(widget)
        if not is_a(model, "FileDownload"):
            raise refuse(model, "downloads nothing")
        self._page.set(model, ({"clicks": model.clicks + 1},))
        _, _, encoded = (model.data or "").partition(",")
        return base64.b64decode(encoded)

    def select(self, source: Any, indices: Sequence[int]) -> None:
        """Select rows of a data source, as a person does in a plot or a table; it may be given by that, too."""
        model = self._own(source)
        for name in ("data_source", "source"):
            model = getattr(model, name, model)
        if not hasattr(model, "selected"):
            raise refuse(model, "has no rows; select in a data source, a renderer or a table")
        rows = max((len(column) for column in getattr(model, "data", {}).values()), default=0)
        wrong = [index for index in indices if not 0 <= index < rows]
        if wrong:
            raise refuse(model, f"has {rows} rows, and none of index {wrong[0]}")
        self._page.set(model.selected, ({"indices": [int(index) for index in indices]},))

    def edit(self, table: Any, row: int, column: str, value: Any) -> None:
        """Type a value into a cell of a table: the row's index in the data source, and the column's field or title."""
        model = self._usable(table)
        field = cell(model, row, column)
        before, after = self._site.runtime.guest.edits(field, row, value, model.source.data[field][row])
        for name, values in before:
            self._page.fire(name, model, **values)
        model.source.patch({field: [(row, value)]})
        for name, values in after:
            self._page.fire(name, model, **values)

    def tap(self, plot: Any, x: float, y: float) -> None:
        """Click into a plot, at this point of its data. What tools make of it, such as a selection, is not known."""
        self._at("tap", plot, x, y, modifiers=_MODIFIERS)

    def hover(self, plot: Any, x: float, y: float) -> None:
        """Move the mouse over a plot, to this point of its data."""
        self._at("mousemove", plot, x, y, modifiers=_MODIFIERS)

    def _at(self, name: str, plot: Any, x: float, y: float, **more: Any) -> None:
        self._page.fire(name, self._usable(plot), x=x, y=y, **more)

    def zoom(
        self, plot: Any, x: tuple[float, float] | None = None, y: tuple[float, float] | None = None
    ) -> None:  # fmt: skip
        """Pan or zoom a plot, until its axes go from and to these numbers."""
        model = self._usable(plot)
        for ends, shown in ((x, model.x_range), (y, model.y_range)):
            if ends is not None:
                self._page.set(shown, ({"start": ends[0], "end": ends[1]},))
        (x0, x1), (y0, y1) = ((each.start, each.end) for each in (model.x_range, model.y_range))
        self._page.fire("rangesupdate", model, x0=x0, x1=x1, y0=y0, y1=y1)

    def fire(self, event: Any) -> None:
        """Let any event of `bokeh.events` happen, such as `DoubleTap(plot, x=1, y=2)`.

        It reaches the application only if that listens to it, as in a browser.
        """
        values = {name: value for name, value in vars(event).items() if not name.startswith("_") and name != "model"}
        model = getattr(event, "model", None)
        self._page.fire(event.event_name, None if model is None else self._usable(model), **values)

    def _as_properties(self, thing: Any, model: Any, values: dict[str, Any]) -> dict[str, Any]:
        """What is set of the model for these values of a component of Panel's, which may have other names."""
        found = self._site.runtime.guest.as_properties(self.session.document, thing, values)
        if found is None:
            return values
        if not found:
            raise cannot_show(thing, values)
        name = property_of(model)
        return {name: found[name]} if name in found else found


def _titles(model: Any) -> list[str]:
    return [tab.title for tab in model.tabs]


def _entries(model: Any) -> list[Any]:
    """What the items of a menu are called in the event."""
    return [item[1] if isinstance(item, tuple | list) else item for item in model.menu if item is not None]


def cannot_show(thing: Any, values: dict[str, Any]) -> CannotDo:
    """The error for values that a component of Panel's has no way to show."""
    return CannotDo(f"{says(thing)} cannot show {', '.join(f'{name}={value!r}' for name, value in values.items())}")
