"""The rule of logrotate."""

from __future__ import annotations

from pathlib import Path

from app_server.deployment.render import render
from tests.unit.deployment.making import planned

THREE = """\
apps:
  myapp: myapp.py
public: tools.example.org
instances: 3
"""


def text(folder: Path, target: str, spec: str, name: str) -> str:
    """One file of a target."""
    return render(target, planned(folder, spec))[name].text


def line(text: str, start: str) -> str:
    """The only line that begins so, without that."""
    (found,) = [line for line in text.splitlines() if line.startswith(start)]
    return found.removeprefix(start)


def test_logs_are_put_away_as_the_file_says(tmp_path: Path) -> None:
    spec = THREE + "logs: {dir: /var/log/my site, rotation: {every: weekly, keep: 3, size_mb: 20, compress: no}}\n"
    rule = text(tmp_path, "logrotate", spec, "logrotate/app-server")
    assert '"/var/log/my site"/access.log "/var/log/my site"/error.log {\n' in rule
    assert {"weekly", "rotate 3", "maxsize 20M"} <= {line.strip() for line in rule.splitlines()}
    assert "compress\n" not in rule
