"""The JSON Schema of deploy.yaml, for editors, and the words about each key that it shares with the manual."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel

from app_server.deployment import spec as grammar
from app_server.deployment.spec import Spec

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@cache
def descriptions(module: str) -> dict[tuple[str, str], str]:
    """The text below each field of a module's classes, by class and field."""
    found: dict[tuple[str, str], str] = {}
    for node in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(node, ast.ClassDef):
            for field, text in zip(node.body, node.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                    assert isinstance(field.target, ast.Name) and isinstance(text.value, ast.Constant)
                    found[node.name, field.target.id] = str(text.value.value)
    return found


def description(model: type[BaseModel], field: str) -> str:
    """What a field is, in a phrase."""
    return descriptions(model.__module__)[model.__name__, field]


def models(model: type[BaseModel] = Spec) -> Iterator[type[BaseModel]]:
    """Every block's class, each once."""
    seen: dict[type[BaseModel], None] = {}
    waiting: list[Any] = [model]
    while waiting:
        kind = waiting.pop(0)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if kind not in seen:
                seen[kind] = None
                waiting += [field.annotation for field in kind.model_fields.values()]
        else:
            waiting += [inner for inner in getattr(kind, "__args__", ()) if inner is not Ellipsis]
    yield from seen


def json_schema() -> dict[str, Any]:
    """The schema of a deployment's file."""
    schema = Spec.model_json_schema()
    by_name = {model.__name__: model for model in models()}
    blocks = {**schema.pop("$defs"), "Spec": schema}
    for name, block in blocks.items():
        for form in (block, *block.get("anyOf", ())):
            for field, about in form.get("properties", {}).items():
                about.pop("title", None)
                about["description"] = description(by_name[name], field)
        block.pop("title", None)
        for form in block.get("anyOf", ()):
            form.pop("title", None)
    whole = blocks.pop("Spec")
    # What an environment changes need not be whole.
    partial = {**whole, "required": [], "properties": dict(whole["properties"])}
    del partial["properties"]["environments"]
    for key in ("required", "description"):
        partial.pop(key, None)
    whole["properties"]["environments"] = {
        "type": "object",
        "description": description(Spec, "environments"),
        "additionalProperties": {"$ref": "#/$defs/Environment"},
    }
    about = (grammar.__doc__ or "").splitlines()[0]
    return {"$schema": DIALECT, "title": "deploy.yaml of app-server", "$comment": about, **whole,
            "$defs": {**blocks, "Environment": partial}}  # fmt: skip
