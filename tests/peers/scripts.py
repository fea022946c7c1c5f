"""What a person does at each application."""

from __future__ import annotations

import base64
from collections.abc import Callable

from tests.peers.visits import Visit
from tests.support.client import Client

Script = Callable[[Visit], None]
SCRIPTS: dict[str, tuple[str, Script]] = {}


def at(path: str) -> Callable[[Script], Script]:
    """Do this at the application that is served there."""

    def register(script: Script) -> Script:
        SCRIPTS[script.__name__] = path, script
        return script

    return register


def said(client: Client) -> str:
    """What the application has said so far; a text that is empty is a default, which is not sent."""
    return client.value("said", "text") or ""


@at("/tables")
def tables(visit: Visit) -> None:
    for name in ("index", "boolean", "group", "script", "inverted", "either", "both"):
        visit.set("choice", "value", name)
    source = visit.ref("source")
    visit.send({"kind": "ColumnsPatched", "model": source, "attr": "data", "patches": {"count": [[1, 20]]}})
    visit.send(
        {"kind": "ColumnsPatched", "model": source, "attr": "data",
         "patches": {"sort": [[0, "fig"]], "count": [[{"type": "slice", "start": 2, "stop": 4, "step": None}, [7, 8]]]}}
    )  # fmt: skip
    visit.set_of("source", "selected", "indices", [1, 3])
    visit.set_of("source", "selected", "indices", [])
    visit.press("drop")
    visit.press("drop")


@at("/uploads")
def uploads(visit: Visit) -> None:
    first, second = (base64.b64encode(text.encode()).decode() for text in ("one", "zwölf"))
    change = visit.client.change
    visit.send(
        change("one", "filename", "ä.txt"), change("one", "mime_type", "text/plain"), change("one", "value", first)
    )
    visit.set("one", "value", second)
    visit.send(
        change("several", "filename", ["1", "2"]),
        change("several", "mime_type", ["text/plain", ""]),
        change("several", "value", [first, second]),
    )


@at("/lazy_tabs")
def lazy_tabs(visit: Visit) -> None:
    for index in (1, 2, 1, 3, 0):
        visit.set("tabs", "active", index)


@at("/streams")
def streams(visit: Visit) -> None:
    visit.press("more")
    visit.set_of("lists", "selected", "indices", [0, 3])
    for button in ("more", "more", "wrong", "more"):
        visit.press(button)
    event = {"kind": "ColumnsStreamed", "model": visit.ref("lists"), "attr": "data", "rollover": 4}
    visit.send({**event, "data": {"x": [0], "y": [{"type": "number", "value": "nan"}]}})


@at("/patches")
def patches(visit: Visit) -> None:
    for button in ("patch", "wrong", "patch"):
        visit.press(button)
    cells = {"type": "slice", "start": 0, "stop": 2, "step": 1}
    event = {"kind": "ColumnsPatched", "attr": "data"}
    visit.send({**event, "model": visit.ref("source"), "patches": {"a": [[cells, [-1, -2]]], "b": [[4, "z"]]}})
    visit.send({**event, "model": visit.ref("images"), "patches": {"image": [[[0, 0, cells], [3, 4]]]}})


@at("/holding")
def holding(visit: Visit) -> None:
    for button in ("combine", "collect", "begin", "combine", "release", "title"):
        visit.press(button)
    visit.set("slider", "value", 50)
    for button in ("release", "combine", "release"):
        visit.press(button)


@at("/roots")
def roots(visit: Visit) -> None:
    for button in ("add", "add", "remove", "change", "again", "remove", "add", "change", "clear", "add", "change"):
        visit.press(button)


@at("/children")
def children(visit: Visit) -> None:
    for button in ("replace", "append", "reverse", "nest", "append", "regrid", "empty", "replace"):
        visit.press(button)


@at("/mutations")
def mutations(visit: Visit) -> None:
    visit.press("go")


@at("/periodic")
def periodic(visit: Visit) -> None:
    visit.press("stop")
    for name, expected in (("first", "5"), ("second", "5"), ("adding", "4"), ("added", "3"), ("ending", "1")):
        visit.wait(name, "text", expected)
    visit.pause()
    visit.forget("first", "events")


@at("/ticks")
def ticks(visit: Visit) -> None:
    visit.wait_for(lambda client: "timeout" in said(client))
    visit.press("go")
    visit.wait_for(lambda client: said(client).endswith("end "))
    visit.forget("first", "events")


@at("/threaded")
def threaded(visit: Visit) -> None:
    for name, word in (
        ("thread", "from a thread"),
        ("executor", "executor 9"),
        ("unlocked", "square 25"),
        ("decorated", "Error"),
    ):
        visit.press(name)
        visit.wait_for(lambda client, word=word: word in said(client))


@at("/coroutines")
def coroutines(visit: Visit) -> None:
    visit.wait_for(lambda client: said(client).endswith("[1, 2] "))
    visit.press("go")
    visit.wait_for(lambda client: said(client).count("[1, 2]") == 2)
    visit.forget("first", "events")


@at("/locked")
def locked(visit: Visit) -> None:
    visit.press("go")
    visit.wait_for(lambda client: said(client) == "one of /locked two of /locked three of /locked ")


@at("/data_models")
def data_models(visit: Visit) -> None:
    visit.set("bicycle", "name_of_it", "Rosinante")
    visit.set("text", "value", "Rocinante")
    visit.set("front", "spokes", 40)
    visit.press("go")
    visit.set("bicycle", "seats", 3)
    visit.press("go")


@at("/themed")
def themed(visit: Visit) -> None:
    for name in ("caliber", "own", "dark_minimal", "none", "own"):
        visit.set("choice", "value", name)


@at("/happenings")
def happenings(visit: Visit) -> None:
    point = {"sx": 10, "sy": 20.5, "x": 1.5, "y": 2}
    keys = {"shift": True, "ctrl": False, "alt": False}
    visit.event("document_ready")
    visit.event("button_click", "button")
    for kind in ("tap", "doubletap", "press", "mousemove", "panend", "mouseenter"):
        visit.event(kind, "plot", **point, modifiers=_map(keys))
    visit.event("tap", "plot", **point)
    visit.event("pan", "plot", **point, delta_x=1, delta_y=-1, direction=1, modifiers=_map(keys))
    visit.event("panstart", "plot", **point, modifiers=_map(keys))
    visit.event("wheel", "plot", **point, delta=120, modifiers=_map(keys))
    visit.event("pinch", "plot", **point, scale=1.25, modifiers=_map(keys))
    visit.event("rotate", "plot", **point, rotation=3, modifiers=_map(keys))
    for kind in ("lodstart", "lodend", "reset"):
        visit.event(kind, "plot")
    geometry = _map({"type": "rect", "sx0": 1, "x0": 1.5, "x1": None})
    visit.event("selectiongeometry", "plot", geometry=geometry, final=True)
    visit.event("rangesupdate", "plot", x0=0, x1=1, y0=2, y1={"type": "number", "value": "nan"})
    visit.event("menu_item_click", "menu", item="two")
    visit.set("toggle", "active", True)
    visit.event("value_submit", "text", value="submitted")
    visit.event("no_such_event", "plot")
    visit.event("tap", "plot", **point)


def _map(values: dict[str, object]) -> dict[str, object]:
    return {"type": "map", "entries": list(values.items())}


@at("/linked")
def linked(visit: Visit) -> None:
    visit.set("one", "value", 3)
    visit.set("two", "value", 5)
    visit.set("one", "value", 5)
    visit.press("unlink")
    visit.set("one", "value", 7)
    visit.press("unlink")


@at("/inputs")
def inputs(visit: Visit) -> None:
    day_ms = 86_400_000
    for name, attr, value in (
        ("select", "value", "c"),
        ("select", "value", "not an option"),
        ("multi", "value", ["2", "1"]),
        ("choice", "value", ["c"]),
        ("checks", "active", [2, 0]),
        ("check_buttons", "active", [1]),
        ("radio", "active", 2),
        ("radio_buttons", "active", None),
        ("slider", "value", 2.5),
        ("slider", "value_throttled", 2.5),
        ("slider", "value", 11),
        ("slider", "value", "text"),
        ("range", "value", [2.5, 7]),
        ("range", "value_throttled", [2.5, 7]),
        ("date_slider", "value", 20_000 * day_ms),
        ("date_range", "value", [19_800 * day_ms, 19_801 * day_ms]),
        ("date_range", "value_throttled", [19_800 * day_ms, 19_801 * day_ms]),
        ("datetime_range", "value", [19_800 * day_ms, 19_801 * day_ms + 1]),
        ("spinner", "value", 3.5),
        ("spinner", "value", None),
        ("spinner", "value_throttled", 3),
        ("numeric", "value", 1.25),
        ("text", "value_input", "te"),
        ("text", "value", "text 🍐"),
        ("area", "value", "one\ntwo"),
        ("password", "value", "secret"),
        ("color", "color", "#102030"),
        ("color", "color", "no colour"),
        ("complete", "value", "other"),
        ("date", "value", "2024-02-29"),
        ("date", "value", None),
        ("date_pair", "value", ["2024-02-29", "2024-03-01"]),
        ("datetime", "value", "2024-02-29T12:00:00"),
        ("time", "value", "12:30:00"),
        ("check", "active", True),
        ("switch", "active", True),
        ("palette", "value", "cold"),
    ):
        visit.set(name, attr, value)


@at("/ranged")
def ranged(visit: Visit) -> None:
    change = visit.client.change
    visit.send(change("x", "start", -1), change("x", "end", 12.5))
    visit.send(change("y", "start", 0), change("y", "end", 3), change("y", "reset_end", 3))
    visit.set("second", "muted", True)
    visit.set("first", "visible", False)
    visit.set("plot", "inner_width", 180)
    visit.press("go")
    visit.set("x", "end", {"type": "number", "value": "nan"})
    visit.press("go")


@at("/frames")
def frames(visit: Visit) -> None:
    visit.press("go")
    visit.set_of("source", "selected", "indices", [0])


@at("/pictures")
def pictures(visit: Visit) -> None:
    visit.press("go")


@at("/swapped")
def swapped(visit: Visit) -> None:
    visit.press("go")


@at("/titled")
def titled(visit: Visit) -> None:
    visit.set("text", "value", "One")
    visit.send({"kind": "TitleChanged", "title": "From the page"})
    visit.set("text", "value", "One (2)")
    visit.note(visit.client.title)


@at("/failing")
def failing(visit: Visit) -> None:
    for name in ("click", "fine", "event", "wrong"):
        visit.press(name)
    for name in ("tick", "timeout"):
        visit.press(name)
        visit.pause()
    for value in (4, 5, 6):
        visit.set("slider", "value", value)
    visit.press("fine")
    visit.forget("events")  # the stock server sends nothing of what a callback changed before it raised


@at("/choosing")
def choosing(visit: Visit) -> None:
    visit.press("go")


@at("/listening")
def listening(visit: Visit) -> None:
    visit.set("slider", "value", 2)
    visit.press("go")
    visit.message("greeting", {"type": "map", "entries": [["words", ["hello", 1.5, None]]]})
    visit.message("greeting", "plain")
    visit.message("nobody listens", 1)
    visit.press("stop")


@at("/asked")
def asked(visit: Visit) -> None:
    pass


@at("/embedded")
def embedded(visit: Visit) -> None:
    visit.set("slider", "value", 4)


@at("/noted")
def noted(visit: Visit) -> None:
    visit.press("go")


@at("/hooked")
def hooked(visit: Visit) -> None:
    pass


@at("/first")
def first(visit: Visit) -> None:
    pass


@at("/second")
def second(visit: Visit) -> None:
    pass


@at("/arrays")
def arrays(visit: Visit) -> None:
    for button in ("patch", "stream", "change", "stream"):
        visit.press(button)


@at("/values")
def values(visit: Visit) -> None:
    visit.press("go")


@at("/edited")
def edited(visit: Visit) -> None:
    def columns(**found: object) -> dict[str, object]:
        return {"type": "map", "entries": list(found.items())}

    points, lines = visit.ref("points"), visit.ref("lines")
    data = {"kind": "ColumnDataChanged", "attr": "data"}
    visit.send({**data, "model": points, "data": columns(x=[1, 2, 5], y=[3, 4, 6]), "cols": None})
    visit.send({**data, "model": lines, "data": columns(xs=[[1, 2], [3]], ys=[[3, 4], [5]]), "cols": None})
    visit.set("points", "data", columns(x=[1], y=[2]))
    visit.set("box", "left", 0.25)
    made = {"type": "object", "name": "Div", "id": "made-by-the-page", "attributes": {"text": "Made", "name": "made"}}
    visit.send({"kind": "RootAdded", "model": made})
    visit.send({"kind": "ModelChanged", "model": {"id": "made-by-the-page"}, "attr": "text", "new": "Made, changed"})
    tooltip = {"type": "object", "name": "Tooltip", "id": "a-tip", "attributes": {"content": "tip", "position": "top"}}
    visit.set("plot", "tags", [tooltip, {"id": "made-by-the-page"}])
    visit.send({"kind": "RootRemoved", "model": {"id": "made-by-the-page"}})


@at("/asked_models")
def asked_models(visit: Visit) -> None:
    visit.press("go")
