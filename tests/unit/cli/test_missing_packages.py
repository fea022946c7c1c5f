"""Commands that need an extra say which one, if app-server was installed without."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

WITHOUT_DEPLOY = (
    "config nginx", "config schema", "init myapp.py --yes", "deploy compose", "deploy --list", "deploy status",
    "deploy logs", "deploy history", "deploy maintenance on", "deploy exec a1 true", "release --output out",
    "image", "image myapp.py", "image --base", "bundle --output site.tar.gz", "backup site.backup",
    "tunnel -f deploy.yaml office", "certificate localhost",
)  # fmt: skip
# In a process of its own, because this one has imported them.
PROGRAM = """
import contextlib, io, json, sys
for name in ("pydantic", "cryptography", "trustme", "crossplane"):
    sys.modules[name] = None
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if sys.modules.get(name, 0) is None else found(name, *more)
from app_server.cli import main
said = {}
for line in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as errors:
        try:
            main(line.split(), {})
        except Exception as error:
            print(repr(error), file=sys.stderr)
    said[line] = errors.getvalue()
print(json.dumps(said))
"""


def test_commands_for_deployments_name_their_extra(tmp_path: Path) -> None:
    (tmp_path / "myapp.py").touch()
    (tmp_path / "deploy.yaml").write_text("apps: {myapp: myapp.py}\n", encoding="utf-8")
    words = [sys.executable, "-c", PROGRAM, json.dumps(WITHOUT_DEPLOY)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    said = json.loads(done.stdout.splitlines()[-1])
    assert set(said) == set(WITHOUT_DEPLOY)
    for line, text in said.items():
        assert " not installed. Install it with: pip install " in text, line
        assert text.rstrip("'\n").endswith("[deploy]"), line
        assert text.count("\n") == 1, line
