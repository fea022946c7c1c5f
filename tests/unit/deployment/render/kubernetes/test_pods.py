"""The arguments of pods: nothing of ours comes after what belongs to the application."""

from __future__ import annotations

from pathlib import Path

from tests.unit.deployment.render.kubernetes.making import DEPLOYMENTS, manifests, of_kind


def test_arguments_of_an_application_stay_last(tmp_path: Path) -> None:
    text = DEPLOYMENTS["two pools, secrets, TLS"] + "kubernetes: {prometheus: monitoring}\n"
    for pods in of_kind("StatefulSet", manifests(tmp_path, text)):
        words = pods["spec"]["template"]["spec"]["containers"][0]["args"]
        assert "--metrics" in words[: words.index("--args") if "--args" in words else None]
    assert words[-3:] == ["--args", "x", "$$(HOME)"]
