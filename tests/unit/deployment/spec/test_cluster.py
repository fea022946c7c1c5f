"""What only a Kubernetes cluster has: bare values, defaults, and the names of its objects."""

from __future__ import annotations

from typing import Any

import pytest

from app_server.deployment.spec.cluster import Gateway, Ingress, Kubernetes
from tests.unit.deployment.spec.reading import fault, read, said

NAMESPACE = "the name of a Kubernetes namespace: a-z, 0-9 and '-', at most 63"
NAME = "the name of a Kubernetes object: a-z, 0-9, '-' and '.', at most 253"


def test_bare_words() -> None:
    assert said(Kubernetes, {"ingress": "nginx", "gateway": "edge", "image_pull_secrets": "regcred"}) == {
        "ingress": {"class_name": "nginx"}, "gateway": {"name": "edge"}, "image_pull_secrets": ("regcred",),
    }  # fmt: skip


def test_ingress_of_the_clusters_default_class_is_an_empty_block() -> None:
    found = read(Kubernetes, {"ingress": {}})
    assert found.ingress == Ingress() and found.gateway is None
    assert (found.spread, found.assigned_users, found.prometheus) == (True, False, None)


def test_gateway_needs_a_name() -> None:
    assert fault(Gateway, {}) == "name: Field required"


@pytest.mark.parametrize("name", ["a", "0", "a-b.c", "a" * 253])
def test_names_of_objects(name: str) -> None:
    assert read(Gateway, name).name == name


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", ".a", "a_b", "a/b", "a..b", "a.-b", "a-.b"])
def test_what_is_no_name_of_an_object(name: str) -> None:
    assert fault(Gateway, name) == f"name: expected {NAME}, not {name!r}"


def test_name_that_is_too_long() -> None:
    assert fault(Gateway, "a" * 254) == f"name: expected {NAME}, not {'a' * 60!r}..."


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"spread": "maybe"}, "spread: expected yes or no, not 'maybe'"),
        ({"image_pull_secrets": ["a", "B"]}, f"image_pull_secrets.1: expected {NAME}, not 'B'"),
        ({"ingress": {"annotations": {"a/b": "x\ny"}}},
         r"ingress.annotations.a/b: expected text on one line without control characters, not 'x\ny'"),
        ({"ingress": {"annotations": {"a b": "x"}}},
         "ingress.annotations.a b.[key]: expected the name of an annotation, such as example.org/timeout, not 'a b'"),
        ({"callers": ["a.b"]}, f"callers.0: expected {NAMESPACE}, not 'a.b'"),
        ({"prometheus": "a" * 64}, f"prometheus: expected {NAMESPACE}, not {'a' * 60!r}..."),
        ({"gateway": {"name": "a.b", "namespace": "a-"}}, f"gateway.namespace: expected {NAMESPACE}, not 'a-'"),
        ("nginx", ": expected lines of the form `key: value`, not 'nginx'"),
    ],
)  # fmt: skip
def test_what_is_refused(value: Any, message: str) -> None:
    assert fault(Kubernetes, value) == message
