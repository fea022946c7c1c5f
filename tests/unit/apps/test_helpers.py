"""Two applications with helper modules of one name: who gets which."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

from app_server.apps.helpers import make_importable
from app_server.apps.running import process_state
from tests.unit.apps.making import Write


def imported(name: str, folder: Path) -> ModuleType:
    """What `import name` gives the application of this folder."""
    make_importable([name.partition(".")[0]], folder)
    with process_state(folder):
        importlib.invalidate_caches()
        return importlib.import_module(name)


def test_each_application_gets_its_own_module_again_and_again(write: Write) -> None:
    root = write({"one/mine_a.py": "who = 'one'\n", "two/mine_a.py": "who = 'two'\n"})
    first, second = imported("mine_a", root / "one"), imported("mine_a", root / "two")
    assert (first.who, second.who) == ("one", "two")
    assert imported("mine_a", root / "one") is first
    assert imported("mine_a", root / "two") is second


def test_modules_of_a_package_go_and_come_with_it(write: Write) -> None:
    files = {f"{app}/mine_b/{part}.py": f"who = '{app}'\n" for app in ("one", "two") for part in ("__init__", "part")}
    root = write(files)
    first = imported("mine_b.part", root / "one")
    assert imported("mine_b.part", root / "two").who == "two"
    assert imported("mine_b", root / "one").who == "one"
    assert sys.modules["mine_b.part"] is first


def test_package_without_an_init_file_makes_room_too(write: Write) -> None:
    root = write({"one/mine_c/part.py": "who = 'one'\n", "two/mine_c/part.py": "who = 'two'\n"})
    assert [imported("mine_c.part", root / app).who for app in ("one", "two", "one")] == ["one", "two", "one"]


def test_similar_names_stay(write: Write) -> None:
    root = write({"one/mine_d.py": "", "one/mine_d_too.py": "", "two/mine_d.py": ""})
    other = imported("mine_d_too", root / "one")
    imported("mine_d", root / "one")
    imported("mine_d", root / "two")
    assert sys.modules["mine_d_too"] is other


def test_modules_from_elsewhere_are_never_taken_away(write: Write) -> None:
    root = write({"one/json.py": "", "two/json.py": ""})
    for app in ("one", "two", "one"):
        make_importable(["json"], root / app)
        assert sys.modules["json"] is json


def test_module_that_comes_from_no_file_stays(write: Write) -> None:
    root = write({"one/mine_e.py": "", "two/mine_e.py": ""})
    make_importable(["mine_e"], root / "one")
    sys.modules["mine_e"] = made = ModuleType("mine_e")
    try:
        make_importable(["mine_e"], root / "two")
        assert sys.modules["mine_e"] is made
    finally:
        del sys.modules["mine_e"]
