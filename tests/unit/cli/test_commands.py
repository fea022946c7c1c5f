"""The commands by group, and their modules."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app_server.cli.commands import COMMANDS, GROUPS, module_of


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_a_module_in_the_folder_of_its_group(name: str) -> None:
    module = module_of(name)
    folder = next(group.folder for group in GROUPS if name in group.commands)
    assert getattr(module, "__name__", "") == f"app_server.cli.{folder}.{name}"
    assert callable(module.prepare)
    assert module.COMMAND.text.endswith(".")


def test_no_command_is_in_two_groups() -> None:
    assert len(COMMANDS) == sum(len(group.commands) for group in GROUPS)


@pytest.mark.parametrize("name", ["doctor", "serve", "config", "html"])
def test_description_of_a_command_is_imported_without_what_it_needs(name: str) -> None:
    program = (
        f"import sys; from app_server.cli.commands import command_of; command_of({name!r}); "
        "print([n for n in ('bokeh', 'tornado', 'pydantic', 'yaml', 'asyncio', 'ssl') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
