"""What starts instances: systemd, supervisor, gunicorn, and what hangs on them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from app_server.deployment.render import render
from app_server.errors import OperatorError
from tests.support.examples import examples
from tests.unit.deployment.making import PRINTABLE, THREE, planned


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(15), deadline=None
)
@given(value=PRINTABLE.filter(lambda text: text == text.strip()))
@pytest.mark.parametrize("target", ["systemd", "supervisor", "gunicorn", "inventory"])
def test_no_value_of_the_file_makes_a_line_of_its_own(tmp_path: Path, target: str, value: str) -> None:
    quoted = yaml.safe_dump(value, default_style='"', width=1000).strip()
    manager = target if target != "inventory" else "systemd"
    spec = THREE + f"service: {{manager: {manager}, environment: {{MINE: {quoted}}}}}\n"
    plain = THREE + f"service: {{manager: {manager}, environment: {{MINE: x}}}}\n"
    try:
        files = render(target, planned(tmp_path, spec))
    except OperatorError:
        return
    expected = render(target, planned(tmp_path, plain))
    for name, file in files.items():
        assert len(file.text.splitlines()) == len(expected[name].text.splitlines())
