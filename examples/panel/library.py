"""A slow start that only the first visitor notices: the page appears at once, its data follow and are kept."""

import time

import panel as pn

pn.extension(sizing_mode="stretch_width", loading_spinner="dots")

WORDS = "amber birch cedar dusk ember fern glade heath islet juniper knoll larch moss nettle oak pine".split()


@pn.cache(ttl=3600)
def catalogue(letters: int) -> list[str]:
    """All words with this number of letters; it takes a second to find them, once an hour."""
    time.sleep(1)
    return sorted(word for word in WORDS if len(word) == letters)


pn.state.cache["visits"] = pn.state.cache.get("visits", 0) + 1

length = pn.widgets.RadioButtonGroup(options=[3, 4, 5, 6], value=4, button_type="success", disabled=True, name="length")
found = pn.pane.Markdown("The catalogue is being read …", css_classes=["found"])
log = pn.pane.Markdown(f"Visit number {pn.state.cache['visits']} since the server was started.", css_classes=["log"])


def look_up(letters: int) -> str:
    """The words as text, with the time that it took."""
    began = time.perf_counter()
    words = catalogue(letters)
    took_s = time.perf_counter() - began
    how = "looked up" if took_s > 0.5 else "remembered"
    return f"**{len(words)} words of {letters} letters**, {how}: {', '.join(words)}"


async def fill() -> None:
    """Called when the page is there."""
    found.object = look_up(length.value)
    length.disabled = False


@pn.depends(length, watch=True)
def _show(letters: int) -> None:
    with found.param.update(loading=True):
        found.object = look_up(letters)


def _goodbye(context: object) -> None:
    print("library: a visitor has gone", flush=True)


pn.state.onload(fill)
pn.state.on_session_destroyed(_goodbye)

pn.template.BootstrapTemplate(title="Library", header_background="#2f4858", main=[length, found, log]).servable()
