"""Print the contents of the image as a CycloneDX 1.6 document: the packages of Debian and of this Python interpreter.

python sbom.py VERSION
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import distributions
from typing import Any


def main() -> None:
    """Write the document to stdout. The same packages give the same text, so builds are reproducible."""
    components = sorted([*debian(), *python()], key=lambda component: component["purl"])
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": "app-server", "version": sys.argv[1]}},
        "components": components,
    }
    json.dump(document, sys.stdout, indent=1)


def debian() -> list[dict[str, Any]]:
    """The packages that dpkg has installed."""
    listing = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\n"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    rows = [line.split(" ") for line in listing.splitlines()]
    return [component(name, version, f"pkg:deb/debian/{name}@{version}?arch={arch}") for name, version, arch in rows]


def python() -> list[dict[str, Any]]:
    """The distributions that this interpreter finds."""
    found = {each.name.lower().replace("_", "-"): each.version for each in distributions()}
    return [component(name, version, f"pkg:pypi/{name}@{version}") for name, version in found.items()]


def component(name: str, version: str, purl: str) -> dict[str, Any]:
    """One entry of the document."""
    return {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}


if __name__ == "__main__":
    main()
