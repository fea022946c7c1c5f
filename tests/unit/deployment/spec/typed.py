"""Values read by a type."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError


def read(kind: Any, value: object) -> Any:
    """What the type makes of a value from YAML."""
    return TypeAdapter(kind).validate_python(value)


def fault(kind: Any, value: object) -> str:
    """What the type says of a value that it does not take."""
    with pytest.raises(ValidationError) as caught:
        read(kind, value)
    return caught.value.errors()[0]["msg"].removeprefix("Value error, ")
