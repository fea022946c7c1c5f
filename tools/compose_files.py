"""Write the files that `docker compose up` needs at the root of the project, out of deploy/examples.yaml.

They are what `app-server config compose -f deploy/examples.yaml` prints; a test holds them equal.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
SOURCE = "deploy/examples.yaml"


def files() -> Mapping[str, str]:
    """The texts by their paths."""
    from app_server.deployment.load import load
    from app_server.deployment.plan import resolve
    from app_server.deployment.render import render

    words = ("app-server", "config", "-f", SOURCE)
    plan = resolve(load(ROOT / SOURCE), layout="compose", regenerate=words)
    return {path: file.text for path, file in render("compose", plan).items()}


if __name__ == "__main__":
    for path, text in files().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")
