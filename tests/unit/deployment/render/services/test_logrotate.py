"""The rule of logrotate."""

from __future__ import annotations

from pathlib import Path

from tests.unit.deployment.making import THREE, text


def test_logs_are_put_away_as_the_file_says(tmp_path: Path) -> None:
    spec = THREE + "logs: {dir: /var/log/my site, rotation: {every: weekly, keep: 3, size_mb: 20, compress: no}}\n"
    rule = text(tmp_path, "logrotate", spec, "logrotate/app-server")
    assert '"/var/log/my site"/access.log "/var/log/my site"/error.log {\n' in rule
    assert {"weekly", "rotate 3", "maxsize 20M"} <= {line.strip() for line in rule.splitlines()}
    assert "compress\n" not in rule
