"""Read generated YAML, by libyaml where PyYAML was built with it: some hundred tests read large manifests."""

from __future__ import annotations

from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_documents(text: str) -> list[Any]:
    """The documents of a text."""
    return list(yaml.load_all(text, Loader=_LOADER))
