"""What a block of deploy.yaml makes of a value, for the tests of this folder."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError


def read(kind: Any, value: object) -> Any:
    """The block that a value from YAML stands for."""
    return TypeAdapter(kind).validate_python(value)


def said(kind: Any, value: object) -> dict[str, Any]:
    """The same, as plain values: only what differs from the defaults."""
    found = read(kind, value)
    assert isinstance(found, BaseModel)
    return found.model_dump(exclude_defaults=True)


def fault(kind: Any, value: object) -> str:
    """Where in the block a value is refused, and why: `port: expected ...`."""
    with pytest.raises(ValidationError) as caught:
        read(kind, value)
    first = caught.value.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"
