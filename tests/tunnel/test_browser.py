"""An unmodified BokehJS behind a tunnel that breaks: the page comes back by itself, where it was."""

from __future__ import annotations

import pytest

from tests.support.browsers.pages import chromium, drag_slider, model_value, open_app, patience_ms, wait_for_model
from tests.support.missing import require_chromium
from tests.tunnel.conftest import Net, tunnel

pytestmark = pytest.mark.browser


def test_page_comes_back_when_the_tunnel_does(net: Net) -> None:
    require_chromium()
    # A Chromium of the laptop.
    laptop = net.laptop.words(user="root")
    with tunnel(net.laptop, "remote-user@remote") as running, chromium(*laptop) as browser:
        page = browser.new_page()
        open_app(page, "http://localhost:5006/board")
        drag_slider(page, 0, 40)
        # What was drawn last is what the server has answered last.
        answered = "model.value === 2 * Bokeh.documents[0].get_model_by_name('slider').value"
        wait_for_model(page, "double", f"model.value > 2 && {answered}")
        value = model_value(page, "double", "model.value")
        page.evaluate(
            "() => { window.back = 0; Bokeh.documents[0].on_event('client_reconnected', () => window.back++) }"
        )
        net.remote.cut()
        running.wait_for("open: ", 2)
        page.wait_for_function("() => window.back > 0", timeout=patience_ms(20))
        assert model_value(page, "double", "model.value") == value
        drag_slider(page, 0, 40)
        wait_for_model(page, "double", f"model.value > {value}")
