"""The report, for people and for programs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from app_server.doctor.finding import Finding, Hop, Severity, apache, nginx, server
from app_server.doctor.report import as_data, as_text, exit_status
from app_server.doctor.seen.answers import Failure, Reach
from app_server.doctor.seen.evidence import Evidence
from tests.unit.doctor.making import HOME, answer, healthy

FINDING = Finding(
    "read-timeout", Severity.ERROR, Hop.PROXY, "a socket was cut after \x1b[31m5 s", "Pages lose it.",
    (nginx("in the location", "proxy_read_timeout 1h;"), apache("for all", "ProxyTimeout 3600"), server("see its log")),
)  # fmt: skip
WARNING = replace(FINDING, severity=Severity.WARNING)


def plain(style: str, text: str) -> str:
    return text


def test_well_deployment_has_a_short_report() -> None:
    assert as_text(healthy(), [], 6.54, plain) == (
        "https://app.test/tools/board  nginx, 1 instance; checked in 6.5 s\n"
        "\n"
        "checked: name, TLS, redirect from http://, page, BokehJS, socket, foreign\n"
        "  origin, large token, silence, host and scheme, forged headers, buffering, one\n"
        "  instance for page and socket\n"
        "not checked: embedding\n"
        "No problems found."
    )


def test_finding_shows_the_lines_of_the_proxy_that_is_there_and_nothing_of_a_terminals() -> None:
    paragraph = as_text(healthy(), [FINDING], 1, plain).split("\n\n")[1]
    assert paragraph == (
        "error    read-timeout (proxy)\n"
        "         A socket was cut after ?[31m5 s. Pages lose it.\n"
        "         nginx: in the location:\n"
        "             proxy_read_timeout 1h;\n"
        "         app-server: see its log"
    )


def test_unknown_proxy_is_shown_both_lines() -> None:
    evidence = replace(healthy(), page=None, nonsense=None, openings=(), scripts=(), plain=None)
    bare = {name: None for name, value in vars(evidence).items() if getattr(value, "headers", None) is not None}
    text = as_text(replace(evidence, **bare, scripts_again=(), large_token=None, foreign=None), [FINDING], 1, plain)
    assert "an unknown proxy, or none" in text
    assert "proxy_read_timeout 1h;" in text and "ProxyTimeout 3600" in text


def test_program_is_told_the_same() -> None:
    report = json.loads(json.dumps(as_data(healthy(), [FINDING], 1.234)))
    assert (report["url"], report["ok"], report["proxy"]) == ("https://app.test/tools/board", False, "nginx")
    assert (report["instances"], report["seconds"], report["not_checked"]) == (1, 1.23, ["embedding"])
    [finding] = report["findings"]
    assert (finding["id"], finding["severity"], finding["hop"]) == ("read-timeout", "error", "proxy")
    assert [remedy["where"] for remedy in finding["remedies"]] == ["nginx", "app-server"]


def test_status_is_0_where_the_application_was_seen_and_nothing_is_broken() -> None:
    assert exit_status(healthy(), []) == exit_status(healthy(), [WARNING]) == 0
    assert exit_status(healthy(), [WARNING, FINDING]) == 1
    assert exit_status(replace(healthy(), page=None), []) == 1


def test_proxy_that_was_named_counts() -> None:
    evidence = replace(healthy(), proxy_given="apache", nonsense=answer("/", 400))
    assert "ProxyTimeout 3600" in as_text(evidence, [FINDING], 1, plain)


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        ("a socket was cut", "A socket was cut. It hurts."),
        ("https://app.test/ leads on to '/x'", "https://app.test/ leads on to '/x'. It hurts."),
        ("/app/ws answers 404", "/app/ws answers 404. It hurts."),
        ("the certificate is not for tools.test: not valid for 'tools.test'.",
         "The certificate is not for tools.test: not valid for 'tools.test'. It hurts."),
    ],
)  # fmt: skip
def test_addresses_stay_as_they_are_and_sentences_end_once(seen: str, sentence: str) -> None:
    text = as_text(healthy(), [replace(FINDING, seen=seen, why="It hurts.")], 1, plain, 500)
    assert sentence in text


def test_where_nothing_answers_no_proxy_is_guessed() -> None:
    reach = (Reach("127.0.0.1", Failure("refused", "the connection was refused")),)
    assert "  nothing answered; checked in" in as_text(Evidence(HOME, reach=reach), [], 1, plain)
