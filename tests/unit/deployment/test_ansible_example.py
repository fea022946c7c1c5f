"""The example inventory is the one that is worked out of the example deployment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_example_inventory_is_what_is_rendered() -> None:
    words = [sys.executable, "-m", "app_server", "config", "inventory", "-f", "ansible/deploy.example.yaml"]
    made = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (ROOT / "ansible/inventory.example.yml").read_text(encoding="utf-8") == made
