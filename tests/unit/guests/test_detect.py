"""Which modules bring a guest along, and that applications without one do not pay for it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest

from app_server import guests
from app_server.document.ids import ModelIds
from app_server.document.served import ServedDocument
from app_server.guests import detect

REQUIREMENTS = {
    "hvplot": ["bokeh>=3.1", "panel>=1.0"],
    "geo": ["Panel (>=1.0)"],
    "plain": ["bokeh>=3", 'panel>=1.0; extra == "widgets"', "panel-extras"],
    "nothing": None,
}


@pytest.fixture(autouse=True)
def _known_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def requires(name: str) -> list[str] | None:
        if name not in REQUIREMENTS:
            raise PackageNotFoundError(name)
        return REQUIREMENTS[name]

    monkeypatch.setattr(detect, "requires", requires)
    detect._requires.cache_clear()


@pytest.mark.parametrize("name", ["panel", "hvplot", "geo"])
def test_library_and_what_requires_it_bring_it(name: str) -> None:
    assert detect.brings({"numpy", name}, "panel")


@pytest.mark.parametrize("name", ["bokeh", "plain", "nothing", "panels", ""])
def test_an_extra_or_a_similar_name_does_not_bring_it(name: str) -> None:
    assert not detect.brings({name}, "panel")


def test_application_without_a_guest_is_served_plainly() -> None:
    guest = guests.guest_for({"numpy", "bokeh"})
    assert type(guest) is guests.Guest
    assert guest.find_component is None
    document = ServedDocument(ModelIds("a session"))
    with guest.building(document):
        document.title = "plain"
    guest.ended(document)


def test_serving_plain_applications_does_not_import_panel() -> None:
    code = (
        "import sys, app_server.guests as g, app_server.server.server; g.guest_for({'numpy'}); "
        "sys.exit('panel' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
