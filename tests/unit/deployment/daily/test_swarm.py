"""What a swarm says of its tasks, and which instance each is."""

from __future__ import annotations

from pathlib import Path

from app_server.deployment.daily.swarm import SwarmDeployment, name_of, tasks_of
from tests.unit.deployment.daily.planned import plan


def task(service: str, slot: int, state: str = "running", error: str = "") -> dict[str, object]:
    """What `docker inspect` says of a task."""
    status = {"State": state, "Timestamp": "2026-11-29T13:00:00.1Z", "Err": error,
              "ContainerStatus": {"ContainerID": f"c{slot}"}}  # fmt: skip
    spec = {"ContainerSpec": {"Image": "registry:5000/site:42@sha256:00"}}
    return {"Status": status, "ServiceID": service, "Slot": slot, "NodeID": "n1", "Spec": spec}


def test_tasks_are_called_as_the_instances_of_their_slots(tmp_path: Path) -> None:
    found = plan(tmp_path, layout="containers")
    services = {"s1": "site_app", "s2": "site_app-sales", "s3": "site_proxy", "s4": "site_valkey"}
    known = [
        task("s1", 1),
        task("s1", 2, "starting"),
        task("s2", 1),
        task("s3", 0),
        task("s4", 1, "rejected", "no image"),
    ]
    tasks = list(tasks_of(found, known, services, {"n1": "one"}))
    assert [(each.name, each.node, each.state) for each in tasks] == [
        ("a1", "one", "running"), ("a2", "one", "starting"), ("sales-a1", "one", "running"),
        ("proxy", "one", "running"), ("valkey", "one", "rejected"),
    ]  # fmt: skip
    assert (tasks[0].image, tasks[0].container, tasks[4].error) == ("registry:5000/site:42", "c1", "no image")
    assert name_of(found, "site_app", "3") == "app"


def test_line_of_a_service_names_its_instance_and_node(tmp_path: Path) -> None:
    deployment = SwarmDeployment(plan(tmp_path, layout="containers"))
    assert deployment._read("site_app.2@two    | a | b") == ("a2@two", "a | b")
    assert deployment._read("site_proxy.n1x@one | ") == ("proxy@one", "")
    assert deployment._read("error from daemon") is None
