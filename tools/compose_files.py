"""Write the files that `docker compose up` needs at the root of the project, out of deploy/examples.yaml.

They are what `app-server config compose -f deploy/examples.yaml` prints; a test holds them equal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
SOURCE = "deploy/examples.yaml"
TLS_HEAD = """\
# With TLS, at https://localhost:8443/:
#   app-server certificate localhost 127.0.0.1 --folder certificates
#   chmod 644 certificates/localhost.key
#   docker compose -f compose.yaml -f compose.tls.yaml up
# The proxy is no root and has to read the key; CERTIFICATE and CERTIFICATE_KEY name other files.
# Made by `make docs`, out of deploy/examples.yaml.
secrets:
  certificate: {file: "${CERTIFICATE:-./certificates/localhost.pem}"}
  certificate_key: {file: "${CERTIFICATE_KEY:-./certificates/localhost.key}"}

services:
  proxy:
    image: app-server-nginx-tls:latest
    build:
      additional_contexts: {site: ./docker/nginx/site-tls}
    ports: ["127.0.0.1:8443:8443"]
    secrets: [certificate, certificate_key]
"""


def files() -> Mapping[str, str]:
    """The texts by their paths: of the examples, and the proxy's of each environment."""
    found = rendered(None)
    for environment, folder in (("apache", "docker/apache/site"), ("tls", "docker/nginx/site-tls")):
        for path, text in rendered(environment).items():
            if path != "compose.yaml":
                found[f"{folder}/{Path(path).name}"] = text
    found.update(rendered(None, "all-in-one"))
    found["compose.tls.yaml"] = tls_override(rendered("tls")["compose.yaml"])
    return found


def tls_override(text: str) -> str:
    """What a compose.yaml with TLS has, and the one without has not: the certificate, and the origins of pages."""
    import yaml

    services = yaml.safe_load(text)["services"]
    commands = {name: about["command"] for name, about in services.items() if "command" in about}
    return TLS_HEAD + "".join(f"  {name}:\n    command: {json.dumps(words)}\n" for name, words in commands.items())


def rendered(environment: str | None, target: str = "compose") -> dict[str, str]:
    """The texts of one environment."""
    from app_server.deployment.load import load
    from app_server.deployment.plan.resolver import resolve_plan
    from app_server.deployment.render import render

    words = ("app-server", "config", "-f", SOURCE, *(("-e", environment) if environment else ()))
    plan = resolve_plan(load(ROOT / SOURCE, environment), layout="compose", regenerate=words, beside="deploy")
    return {path: file.text for path, file in render(target, plan).items()}


if __name__ == "__main__":
    for path, text in files().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")
