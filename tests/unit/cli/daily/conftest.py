"""A deployment on this machine, as a host that needs no ssh."""

from __future__ import annotations

from pathlib import Path

import pytest

TEXT = """
name: site
apps: {{who: who.py}}
public: foo.com
maintenance: {{file: {folder}/closed}}
instances: {{hosts: [{{name: here, address: 127.0.0.1, ssh: localhost}}]}}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with such a deployment."""
    (tmp_path / "deploy.yaml").write_text(TEXT.format(folder=tmp_path), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path
