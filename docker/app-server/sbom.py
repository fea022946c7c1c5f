"""Print the contents of the image as a CycloneDX 1.6 document: the packages of Debian and of this Python interpreter.

python sbom.py NAME VERSION

What pip has installed for applications is in PYTHONPATH, so an image of applications lists that, too.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import Distribution, distributions
from typing import Any


def main() -> None:
    """Write the document to stdout. The same packages give the same text, so builds are reproducible."""
    components = sorted([*debian(), *python()], key=lambda component: component["purl"])
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": sys.argv[1], "version": sys.argv[2]}},
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
    found = {re.sub(r"[-_.]+", "-", each.name).lower(): each for each in distributions()}
    return [
        component(name, each.version, f"pkg:pypi/{name}@{each.version}", license_of(each))
        for name, each in found.items()
    ]


def license_of(distribution: Distribution) -> str | None:
    """The SPDX expression in a distribution's metadata (PEP 639), None if it has none."""
    return distribution.metadata.get("License-Expression")


def component(name: str, version: str, purl: str, expression: str | None = None) -> dict[str, Any]:
    """One entry of the document."""
    licenses = {} if expression is None else {"licenses": [{"expression": expression}]}
    return {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl, **licenses}


if __name__ == "__main__":
    main()
