"""How the tests of this folder compare what bokeh encodes with what we do."""

from __future__ import annotations

import gzip
from base64 import b64decode
from typing import Any

from bokeh.core.serialization import Buffer


def normal(rep: Any, buffers: dict[str, bytes]) -> Any:
    """JSON in which every buffer, by reference or inline, stands as what it holds."""
    if isinstance(rep, dict):
        if rep.get("type") == "bytes":
            data = rep["data"]
            if isinstance(data, Buffer):
                return {"type": "bytes", "data": data.to_bytes()}
            if isinstance(data, str):
                raw = b64decode(data)
                return {"type": "bytes", "data": gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw}
            return {"type": "bytes", "data": buffers[data["id"]]}
        return {key: normal(item, buffers) for key, item in rep.items()}
    if isinstance(rep, list | tuple):
        return [normal(item, buffers) for item in rep]
    return rep


def exact(rep: Any) -> Any:
    """Values that compare as JSON does: 1 is not 1.0, and True is not 1."""
    if isinstance(rep, dict):
        return {key: exact(item) for key, item in rep.items()}
    if isinstance(rep, list):
        return [exact(item) for item in rep]
    return (type(rep).__name__, rep)
