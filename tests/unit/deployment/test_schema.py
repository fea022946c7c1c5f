"""The schema, and the example that documents every key of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from app_server.deployment.load import load
from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.rules import judge
from app_server.deployment.schema import description, json_schema, models
from app_server.deployment.spec import Spec
from tests.unit.deployment.making import MINIMAL
from tools.deploy_example import TARGET, block_of, example


def validator() -> Any:
    """A validator of the schema; imported here, because its package parses grammars for two seconds meanwhile."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json_schema())


def test_example_is_the_schemas() -> None:
    assert TARGET.read_text(encoding="utf-8") == example(), "run: .venv/bin/python tools/deploy_example.py"


def test_example_is_a_deployment_that_breaks_no_rule() -> None:
    loaded = load(TARGET)
    assert [str(verdict.what) for verdict in judge(resolve_plan(loaded))] == []
    assert loaded.spec.name == "tools"


def test_example_has_every_key_of_every_block() -> None:
    text = re.sub(r"^( *)(- )?# (?=[a-z_0-9]+:( |$))", r"\1", TARGET.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for model in models():
        for field in model.model_fields:
            assert re.search(rf"^ *(- )?{field}:( |$)", text, re.MULTILINE), f"{model.__name__}.{field}"
            words = description(model, field).split()
            assert " ".join(words) in " ".join(text.replace("#", " ").split()), f"{model.__name__}.{field}"


def test_every_block_is_reached() -> None:
    names = {model.__name__ for model in models()}
    assert {"Spec", "Application", "Acme", "ServerHost", "ExternalAccess", "Tunnel", "Rotation"} <= names
    assert block_of(Spec.model_fields["tunnels"].annotation) is not None


def test_schema_is_valid_and_takes_what_we_take() -> None:
    schema = validator()
    schema.check_schema(schema.schema)
    for text in (TARGET.read_text(encoding="utf-8"), MINIMAL, "apps: {a: a.py}\nproxy: no\ninstances: 3\nx-me: [1]\n"):
        assert [error.message for error in schema.iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "apps: {}",
        "apps: {a: a.py}\nprxy: nginx",
        "apps: {a: {path: a.py, pth: b}}",
        "apps: {a: a.py}\ninstances: 0",
        "apps: {a: a.py}\ntls: {mode: on}",
        "apps: {a: a.py}\nenvironments: {staging: {prxy: nginx}}",
    ],
)
def test_schema_refuses_what_we_refuse(text: str) -> None:
    assert list(validator().iter_errors(yaml.safe_load(text)))


def test_every_key_is_described() -> None:
    def walk(block: dict[str, Any]) -> None:
        for form in (block, *block.get("anyOf", ())):
            for name, about in form.get("properties", {}).items():
                assert about["description"], name

    schema = json_schema()
    walk(schema)
    for block in schema["$defs"].values():
        walk(block)


def test_models_refuse_to_be_changed() -> None:
    spec = Spec.model_validate({"apps": {"a": "a.py"}})
    assert isinstance(spec, BaseModel)
    with pytest.raises(ValueError, match="frozen"):
        spec.name = "other"  # type: ignore[misc]


def test_example_is_packaged() -> None:
    assert TARGET == Path(__file__).parents[3] / "deploy" / "deploy.example.yaml"
