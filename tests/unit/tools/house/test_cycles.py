"""Files that import each other are found, and the ring is named."""

from __future__ import annotations

import pytest

from tools.house.cycles import find_cycles, imports_of, shortest_ring, strongly_connected
from tools.house.sources import Source


def tree(**texts: str) -> list[Source]:
    """Modules of the package: `room__file` is app_server/room/file.py."""
    return [Source(f"app_server/{name.replace('__', '/')}.py", text) for name, text in texts.items()]


def test_files_that_import_downwards_are_no_ring() -> None:
    sources = tree(top="from app_server import low\nimport app_server.middle", middle="import app_server.low", low="")
    assert find_cycles(sources) == []


@pytest.mark.parametrize(
    "back",
    [
        "import app_server.first",
        "from app_server import first",
        "from app_server.first import name",
        "from . import first",
        "from .first import name",
        "def later():\n    from app_server.first import name",
        "if TYPE_CHECKING:\n    from app_server.first import name",
    ],
)
def test_two_files_that_import_each_other_are_found(back: str) -> None:
    [fault] = find_cycles(tree(first="\nfrom app_server.second import other", second=back))
    assert str(fault) == (
        "app_server/first.py:2: files import each other: app_server.first -> app_server.second -> app_server.first"
    )


def test_ring_of_several_files_is_named_in_its_order() -> None:
    sources = tree(c="import app_server.a", a="import app_server.b", b="import app_server.c")
    [fault] = find_cycles(sources)
    assert fault.text == "files import each other: app_server.a -> app_server.b -> app_server.c -> app_server.a"


def test_shortest_ring_of_a_group_is_named() -> None:
    imports = {"a": {"b": 1}, "b": {"c": 1}, "c": {"a": 1, "d": 2}, "d": {"c": 1}}
    assert strongly_connected(imports) == [["a", "b", "c", "d"]]
    assert shortest_ring(imports, ["a", "b", "c", "d"]) == ["c", "d"]


def test_rings_apart_from_each_other_are_faults_of_their_own() -> None:
    pairs = {"a": "import app_server.b", "b": "import app_server.a", "c": "import app_server.c"}
    faults = find_cycles(tree(**pairs))
    assert [fault.path for fault in faults] == ["app_server/a.py", "app_server/c.py"]


def test_package_is_imported_only_for_a_name_that_its_own_file_defines() -> None:
    package = Source("app_server/room/__init__.py", "from app_server.room.door import Door")
    sources = [package, *tree(room__door="from app_server.room import key", room__key="")]
    assert imports_of(sources)["app_server.room.door"] == {"app_server.room.key": 1}
    assert find_cycles(sources) == []
    [fault] = find_cycles([package, *tree(room__door="from app_server.room import Door")])
    assert fault.text.endswith("app_server.room -> app_server.room.door -> app_server.room")


def test_other_projects_modules_are_in_no_ring() -> None:
    assert imports_of(tree(a="import app_server_tools, os\nfrom bokeh.a import app_server")) == {"app_server.a": {}}
