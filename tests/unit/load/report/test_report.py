"""What is said of a load test, in words, as JSON and as a picture."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from typing import Any

import pytest

from app_server.load.first_visit import Seen
from app_server.load.meter import Measured
from app_server.load.ramp import Limits, Why
from app_server.load.report.findings import Findings, as_data, findings
from app_server.load.report.picture import as_svg, ticks
from app_server.load.report.text import as_text, verdict
from app_server.load.run import Outcome, Rush
from app_server.load.server_side import During, Use
from app_server.load.statistics import Spread

MB = 1_000_000
URL = "http://localhost:5006/app"
SEEN = Seen({"Slider": 2, "Select": 1}, {"DataTable": 1})
IDLE = Use(0.0, 1, 100 * MB, 1.0, 1)


def stage(people: int, p99_s: float = 0.05, *faults: tuple[str, int], **more: Any) -> Measured:
    return Measured(people, 6.0, Spread(people, 0.1, 0.2), Spread(120, 0.01, p99_s), 120, faults, **more)


def of(*stages: Measured, why: Why = Why.FOUND, wanted: int | None = None, **more: Any) -> Findings:
    """The findings of these stages."""
    during = tuple(During(each.people, IDLE, Use(10.0, 1 + each.people, 150 * MB, 2.0, 1)) for each in stages)
    outcome = Outcome(stages, why, IDLE, during, Rush(30, 3.0, 0))
    given = {"instances": 1, "doing": "a move each 5 s", "wanted": wanted}
    return findings(URL, SEEN, replace(outcome, **more), Limits(), **given)  # type: ignore[arg-type]


def test_report_says_what_is_carried_and_what_that_takes() -> None:
    assert as_text(of(stage(5), stage(8), stage(13, 0.31), wanted=100)) == (
        f"{URL} carries 8 people: with 13, round trips take too long (p99 0.31 s, limit 0.2 s).\n\n"
        "people  messages/s       p50       p99   pages  opened in  failed\n"
        "     5        20.0   10.0 ms   50.0 ms       5      0.2 s       0\n"
        "     8        20.0   10.0 ms   50.0 ms       8      0.2 s       0\n"
        "    13        20.0   10.0 ms    0.31 s      13      0.2 s       0\n\n"
        "People: a move each 5 s; widgets: 1 Select, 2 Slider.\n"
        "Left out: 1 DataTable.\n"
        "Opens: 10.0 pages a second.\n"
        "Memory: 4 MB for each session, and 100 MB without any.\n"
        "Processor: 0.77% of a core for each person.\n\n"
        "For 100 people: 18 instances, with 256 MB; 6 on each, which is 70% of what it carries. "
        "Together they use 0.8 cores on average."
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (of(why=Why.INTERRUPTED), "nothing was measured: it was interrupted."),
        (of(stage(1), why=Why.MOST), "carries at least 1 person: no more were to come, see --most."),
        (
            of(stage(5), stage(8, busy=0.99)),
            "carries at least 5 people: with 8, the load generator has reached its own",
        ),
        (of(stage(5, math.inf)), "carries no one: with 5, round trips take too long (p99 -, limit 0.2 s)."),
        (of(stage(5), stage(8, 0.1, ("page refused (503)", 40))), "with 8, too much fails (40 x page refused (503))."),
        (of(stage(5), why=Why.INTERRUPTED), "carries at least 5 people: it was interrupted."),
    ],
)
def test_verdict_is_one_sentence(found: Findings, expected: str) -> None:
    assert expected in verdict(found)


def test_what_is_not_known_is_said() -> None:
    text = as_text(of(stage(5), idle=None, during=(), unknown="the server has ended", why=Why.MOST, wanted=9))
    assert "Memory and processor: not known: the server has ended." in text
    assert "For 9 people: 3 instances at most, because the limit was not found; 3 on each, which is 70% of" in text
    assert "1 instance at most, because the limit was not found, with 256 MB; 3 on each, which is at most 70% of" in (
        as_text(of(stage(1000), why=Why.MOST, wanted=3))
    )
    assert "not even one instance carries anyone" in as_text(of(stage(5, 9.0), wanted=9))


def test_faults_are_shown_with_examples_and_with_what_may_refuse_a_test() -> None:
    faulty = stage(8, 0.1, ("page refused (429)", 40), examples=("error: \x1b[31m boom",), missing=3)
    text = as_text(of(stage(5), faulty))
    assert "Failed: error: \\x1b[31m boom" in text and "All people of a test come from one address" in text
    assert "Not played: 3 messages" in text


def test_json_is_valid_whatever_was_measured() -> None:
    found = of(stage(5), stage(8, math.inf), wanted=100)
    data = json.loads(json.dumps(as_data(found), allow_nan=False))
    assert (data["people"], data["limit_found"], data["too_many"]) == (5, True, 8)
    assert data["too_many_because"] == "round trips take too long" and data["ended_because"] == "the limit is found"
    assert data["stages"][1]["round_trips"] == {"count": 120, "p50_s": 0.01, "p99_s": None}
    assert data["deployment"]["instances"] == 29
    assert as_data(of(why=Why.INTERRUPTED, idle=None))["deployment"] is None


def test_picture_is_xml_with_a_point_for_each_stage() -> None:
    root = ElementTree.fromstring(as_svg(of(stage(5), stage(8), stage(13, 0.31), stage(20, math.inf))))
    circles = [each for each in root.iter() if each.tag.endswith("circle")]
    assert [circle.get("fill") for circle in circles] == ["#1f7a8c", "#1f7a8c", "#c8553d"]
    assert "carries 8 people" in (root.findtext("{http://www.w3.org/2000/svg}title") or "")


@pytest.mark.parametrize("found", [of(stage(1)), of(stage(1, 0.00001)), of(stage(1, math.nan)), of(stage(1000, 90.0))])
def test_picture_can_be_drawn_of_anything(found: Findings) -> None:
    ElementTree.fromstring(as_svg(found))


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (1, [1]),
        (6, [1, 2, 3, 4, 5, 6]),
        (13, [5, 10]),
        (100, [20, 40, 60, 80, 100]),
        (1000, [200, 400, 600, 800, 1000]),
    ],
)
def test_ticks_are_round_numbers(most: int, expected: list[int]) -> None:
    assert ticks(most) == expected
