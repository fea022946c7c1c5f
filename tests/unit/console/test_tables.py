"""The tables of the console: what they show, and that no text of a visitor becomes HTML."""

from __future__ import annotations

import math
from typing import Any

import pytest

from app_server.console import tables
from app_server.console.tabs.sessions import busy_note
from app_server.observe.gauges import ApplicationGauges, LoopGauges

EVIL = "<img src=x onerror=alert(1)>\"'"


def facts(**more: Any) -> dict[str, Any]:
    now = {"sessions": 2, "connections": 3, "unused": 0, "queued_bytes": 0, "apart_bytes": 0}
    return {
        "pid": 7, "started_s": 0.0, "taken_s": 125.0, "draining": False, "rss_bytes": 5e7, "pss_bytes": None,
        "max_sessions": 0, "loop": LoopGauges().snapshot(),
        "applications": {"/sales": {"now": now, "ever": ApplicationGauges().snapshot()}}, **more,
    }  # fmt: skip


def instance(**more: Any) -> dict[str, Any]:
    snapshot = {"processes": {"0": facts(), "1": facts()}, "silent": ["2-9"]}
    return {"name": "host", "address": "", "version": "1", "snapshot": snapshot, "maintenance": None, **more}


def test_processes_and_those_that_do_not_answer_are_shown() -> None:
    html = tables.processes_table([instance()])
    assert html.count("<tr>") == 4
    assert "2 min" in html and "50 MB" in html and "does not answer" in html


def test_applications_are_added_up_over_processes_and_instances() -> None:
    html = tables.applications_table([instance(), instance(), {"name": "two", "fault": "cannot be reached"}])
    assert '<td data-h="sessions">8</td>' in html


def test_jobs_of_an_application_are_shown() -> None:
    shown = instance()
    (gauges,) = shown["snapshot"]["processes"]["0"]["applications"].values()
    gauges["now"] |= {"jobs_running": 2}
    assert '<td data-h="jobs">2</td>' in tables.applications_table([shown])
    gauges["now"] |= {"jobs_queued": 3}
    assert '<td data-h="jobs">2 + 3 queued</td>' in tables.applications_table([shown])
    del gauges["now"]["jobs_running"], gauges["now"]["jobs_queued"]  # an older version has none
    assert '<td data-h="jobs">0</td>' in tables.applications_table([shown])


@pytest.mark.parametrize("gauges", [
    {"now": {"sessions": "many"}, "ever": {}}, {"now": {"sessions": None}, "ever": {"round_trip": {"counts": [1]}}}, 7,
    {"now": {"sessions": math.inf}, "ever": {**ApplicationGauges().snapshot(), "refused": {"full": "no"}}},
])  # fmt: skip
def test_figures_of_another_version_do_not_hide_those_of_the_others(gauges: Any) -> None:
    processes = {"0": facts(applications={"/sales": gauges}), "1": 5}
    other = instance(snapshot={"processes": processes, "silent": 1}, busy=math.inf)
    shown = [other, instance()]
    assert '<td data-h="sessions">4</td>' in tables.applications_table(shown)
    assert '<td data-h="sessions">4</td>' in tables.instances_table(shown)
    assert tables.processes_table(shown).count("<tr>") == 5
    assert "4 sessions" in tables.headline(shown) and busy_note(shown) == ""


def test_state_of_an_instance_is_shown() -> None:
    shown = [instance(), instance(maintenance="x"), instance(draining=True), {"name": "two", "fault": "is away"}]
    html = tables.instances_table(shown)
    assert all(word in html for word in ("serving", "maintenance", "draining", "is away"))
    assert "1 instance without an answer" in tables.headline(shown).replace("</span>", "").replace("<span>", "")


def line(message: str, **more: Any) -> dict[str, Any]:
    usual = {"at_s": 3600.0, "level": "info", "message": message, "application": "/sales", "session": "abc"}
    return {**usual, "trace": "", **more}


def shown_log(*lines: dict[str, Any], **wanted: str) -> str:
    asked = {"level": "debug", "application": "", "session": "", "words": "", **wanted}
    return tables.log_table([instance(log=list(lines))], **asked)


def test_lines_are_filtered() -> None:
    lines = line("one"), line("two", level="error"), line("three", application="/b"), line("four", session="xyz")
    assert "one" in shown_log(*lines) and "01:00:00" in shown_log(*lines)
    assert "one" not in shown_log(*lines, level="warning") and "two" in shown_log(*lines, level="warning")
    assert "three" in shown_log(*lines, application="/b") and "one" not in shown_log(*lines, application="/b")
    assert "four" in shown_log(*lines, session="XY") and "one" not in shown_log(*lines, session="XY")
    assert "two" in shown_log(*lines, words="TW") and "one" not in shown_log(*lines, words="TW")


def test_latest_line_comes_first_and_the_oldest_are_left_out() -> None:
    html = shown_log(*(line(f"line {number}.", at_s=float(number)) for number in range(tables.MOST_LINES + 10)))
    assert html.index(f"line {tables.MOST_LINES + 9}.") < html.index("line 100.")
    assert "line 5." not in html


def test_texts_of_visitors_stay_texts() -> None:
    evil = instance(
        name=EVIL, version=EVIL,
        log=[line(EVIL, trace=EVIL, application=EVIL, session=EVIL, level=EVIL)],
        stalls=[{"at_s": 0.0, "name": EVIL, "stack": EVIL, "pid": EVIL, "lasted_s": EVIL}],
        audit=[{"time": EVIL, "who": EVIL, "act": EVIL, "on": EVIL, "result": EVIL}],
        snapshot={"processes": {EVIL: facts(pid=EVIL, applications={EVIL: facts()["applications"]["/sales"]})},
                  "silent": [EVIL]},
    )  # fmt: skip
    shown = (
        tables.log_table([evil], level="debug", application="", session="", words=""), tables.stalls_list([evil]),
        tables.audit_table([evil]), tables.instances_table([evil]), tables.processes_table([evil]),
        tables.applications_table([evil]), tables.headline([evil]),
        tables.instances_table([{"name": EVIL, "fault": EVIL}]),
    )  # fmt: skip
    assert not [html for html in shown if "<img" in html]


def test_stall_has_its_stack() -> None:
    stall = {"at_s": 60.0, "name": "/sales session abc…", "stack": "File x", "pid": 7, "lasted_s": 6.5}
    html = tables.stalls_list([instance(stalls=[stall, {**stall, "lasted_s": None, "stack": ""}])])
    assert all(words in html for words in ("blocked for 6.5 s", "still blocked", "File x", "The stack is not known"))


def test_empty_tables_say_so() -> None:
    assert "No operator has done anything yet." in tables.audit_table([])
    assert "No loop was blocked" in tables.stalls_list([])
    assert "No line is like that." in shown_log()
