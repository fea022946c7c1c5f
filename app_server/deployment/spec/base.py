"""The base of every block of deploy.yaml."""

from collections.abc import Mapping
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from app_server.deployment.spec.readers import quoted

EXTENSION = "x-"


class Model(BaseModel):
    """A block with keys. Unknown keys are refused, except the author's own, which begin with `x-`.

    `short` names the field that a bare value stands for: `myapp: app.py` for `myapp: {path: app.py}`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    short: ClassVar[str | None] = None
    refusal: ClassVar[str | None] = None
    """the error for a value that is not a block, if the value must not be quoted"""

    @model_validator(mode="before")
    @classmethod
    def _as_mapping(cls, value: object) -> object:
        if isinstance(value, cls):
            return value
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            if cls.short is not None:
                return {cls.short: value}
            if cls.refusal is not None:
                raise ValueError(cls.refusal)
            raise ValueError(f"expected lines of the form `key: value`, not {quoted(value)}")
        # A key without a value has its default.
        return {key: item for key, item in value.items() if item is not None and not str(key).startswith(EXTENSION)}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        block = handler.resolve_ref_schema(schema)
        block["patternProperties"] = {"^x-": {}}
        if cls.short is not None and "properties" in block:
            whole = {key: block.pop(key) for key in list(block) if key not in ("title", "description")}
            block["anyOf"] = [dict(whole["properties"][cls.short]), whole]
        return schema


M = TypeVar("M", bound=Model)


def block(kind: type[M]) -> M:
    """The default of a block that may be left out: the defaults of its keys.

    They need no validation. With the class itself as the factory, pydantic would build a validator for each block.
    """
    default: M = Field(default_factory=kind.model_construct)
    return default
