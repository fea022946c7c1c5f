"""What a roll-out decides to do."""

from __future__ import annotations

from app_server.deployment.rollout.steps import Step, ago, content_name, steps

WANTED = {"app-a1": "x", "app-a2": "x", "proxy": "p"}


def test_first_roll_out_starts_the_instances_and_then_the_proxy() -> None:
    assert steps(WANTED, {}) == [Step("start", "app-a1"), Step("start", "app-a2"), Step("start", "proxy")]


def test_what_is_as_it_was_is_left_alone() -> None:
    assert {step.kind for step in steps(WANTED, WANTED)} == {"keep"}


def test_everything_can_be_replaced() -> None:
    assert [step.kind for step in steps(WANTED, WANTED, everything=True)] == ["replace"] * 3


def test_only_what_has_changed_is_replaced() -> None:
    running = {**WANTED, "app-a2": "old"}
    assert steps(WANTED, running) == [Step("keep", "app-a1"), Step("replace", "app-a2"), Step("keep", "proxy")]


def test_proxy_with_another_configuration_reads_it_and_stays() -> None:
    running = {**WANTED, "app-a1": "old"}
    kinds = [step.kind for step in steps(WANTED, running, reconfigured=True)]
    assert kinds == ["replace", "keep", "reload"]
    replaced = steps(WANTED, {**WANTED, "proxy": "old"}, reconfigured=True)
    assert replaced[-1] == Step("replace", "proxy")


def test_new_instances_come_before_others_are_replaced_and_old_ones_go_last() -> None:
    running = {"app-a1": "old", "app-a3": "x", "proxy": "old"}
    assert steps(WANTED, running) == [
        Step("start", "app-a2"),
        Step("replace", "app-a1"),
        Step("replace", "proxy"),
        Step("remove", "app-a3"),
    ]


def test_image_is_named_by_its_contents() -> None:
    digest = "sha256:" + "4f2a" * 16
    assert content_name("site:latest", digest) == "site:4f2a4f2a4f2a"
    assert (
        content_name("registry.example.org:5000/team/site", digest)
        == "registry.example.org:5000/team/site:4f2a4f2a4f2a"
    )
    assert content_name("site@sha256:" + "0" * 64, digest) == "site:4f2a4f2a4f2a"


def test_release_before_is_the_nearest_that_is_kept() -> None:
    assert ago([1, 3, 4, 7], 7) == 4
    assert ago([1, 3, 4, 7], 4) == 3
    assert ago([1], 1) is None
    assert ago([], None) is None
