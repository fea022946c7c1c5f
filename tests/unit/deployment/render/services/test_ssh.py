"""The files of a deployment's tunnels."""

from __future__ import annotations

from pathlib import Path

import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app_server.deployment.render import render
from app_server.errors import OperatorError
from tests.support.examples import examples
from tests.unit.deployment.making import planned

FILE = """\
apps: {myapp: myapp.py}
proxy: none
instances: {port: 5100, address: localhost}
tunnels:
  office: {kind: reverse, server: "tunnel@gateway.host:2222", listen: 8000, identity: /keys/office}
  far: {kind: local, server: me@far.host, jump: [me@one, two], alive_interval_s: 5}
"""


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(30), deadline=None
)
@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs", "Cc")), min_size=1, max_size=30))
def test_no_file_of_a_tunnel_makes_a_line_of_its_own(tmp_path: Path, name: str) -> None:
    quoted = yaml.safe_dump(f"/k{name}", default_style='"', width=1000).strip()
    spec = FILE.replace("/keys/office", quoted)
    try:
        files = render("ssh", planned(tmp_path, spec))
    except OperatorError:
        return
    expected = render("ssh", planned(tmp_path, FILE))
    assert {path: file.text.count("\n") for path, file in files.items()} == {
        path: file.text.count("\n") for path, file in expected.items()
    }
