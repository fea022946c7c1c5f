"""All scenarios, in the order in which they are run and shown."""

from __future__ import annotations

from bench import drawing, holding, processes, proxied, saved, slow, speed
from bench.load import Scenario
from bench.servers import FOREVER_MS, Launch

SHORT_MS = 1000
SLIDERS = Launch("sliders")
CHURNING = Launch("sliders", unused_session_lifetime_ms=SHORT_MS, check_unused_sessions_ms=SHORT_MS)
ISOLATED = ("--isolation", "process")
COPIED = ("--isolation", "snapshot")
DRAWN = Launch("sliders", all_cores=True)
LONG_S = 3600.0


def _two(*ours: str) -> Launch:
    """Two processes of either server on all cores, with sessions that end soon."""
    return Launch("sliders", SHORT_MS, SHORT_MS, flags=("--num-procs", "2"), ours=ours, all_cores=True)


def _isolated(app: str, *ours: str, lifetime_ms: int = 60_000) -> Launch:
    """A server whose sessions have processes of their own, on all cores."""
    return Launch(app, lifetime_ms, min(lifetime_ms, 17_000), ours=ours, all_cores=True)


SCENARIOS = (
    Scenario("page", "a page", SLIDERS, speed.page, 3),
    Scenario("open-sliders", "open a session, 38 models", SLIDERS, speed.open_sliders, 3),
    Scenario("open-dashboard", "open a session, about 610 models", Launch("dashboard"), speed.open_dashboard, 3),
    Scenario("round-trip", "a slider moves, 1 session", SLIDERS, speed.round_trip, 3),
    Scenario("proxied", "a slider moves, through nginx with TLS", SLIDERS, proxied.proxied, 3, on_canned=False),
    Scenario("closed-50", "sliders move, 50 sessions, closed loop", SLIDERS, speed.closed_loop(50), 2),
    Scenario("closed-200", "sliders move, 200 sessions, closed loop", SLIDERS, speed.closed_loop(200), in_quick=False),
    Scenario("offered-300", "sliders move, 300 /s over 50 sessions", SLIDERS, speed.offered, 3),
    Scenario("push", "push at 20 Hz, 1000 x 5 doubles, 30 sessions", Launch("push"), speed.push, 2),
    Scenario("slow-line", "a client of 1 MB/s beside another", Launch("wide"), slow.slow_line, 2, on_canned=False),
    Scenario("beats", "200 sessions beat 20 times a second", Launch("beats"), slow.beats, 2, on_canned=False),
    Scenario("properties", "100 properties in one callback", Launch("props"), speed.properties, 3),
    Scenario("fan-out", "one change, 20 tabs of a session", SLIDERS, speed.fan_out, 3),
    Scenario("closing", "200 sessions end at once", CHURNING, holding.closing, on_canned=False),
    Scenario("session-memory", "a sliders session is held", SLIDERS, holding.session_memory, on_canned=False),
    Scenario("idle-sockets", "2000 idle sockets", SLIDERS, holding.idle_sockets),
    Scenario("first-page", "a first page with its scripts", SLIDERS, holding.first_page, on_canned=False),
    Scenario("first-page-plots", "the same, only plots", Launch("plots"), holding.first_page, on_canned=False),
    Scenario("opens", "sessions are opened, two processes", _two(), processes.opens, 2, on_canned=False),
    Scenario("opens-isolated", "the same, a process for each", _two(*ISOLATED), processes.opens, 2, on_canned=False),
    Scenario("opens-copied", "the same, copies of one start", _two(*COPIED), processes.opens, 2, on_canned=False),
    Scenario("drawn", "a page is drawn in Chromium", DRAWN, drawing.drawn, on_canned=False),
    Scenario(
        "drawn-at-a-distance", "the same, 10 Mbit/s and 40 ms", DRAWN, drawing.drawn_at_a_distance, on_canned=False
    ),
    Scenario(
        "stuck",
        "one of 21 sessions never returns",
        _isolated("stuck", *ISOLATED),
        processes.stuck,
        2,
        on_canned=False,
        on_stock=False,
    ),
    Scenario(
        "held",
        "1000 sessions with their own processes",
        _isolated("sliders", *ISOLATED, lifetime_ms=FOREVER_MS),
        processes.held,
        on_canned=False,
        on_stock=False,
        in_quick=False,
        timeout_s=LONG_S,
    ),
    Scenario(
        "held-copied",
        "1000 sessions that are copies",
        _isolated("sliders", *COPIED, lifetime_ms=FOREVER_MS),
        processes.held,
        on_canned=False,
        on_stock=False,
        in_quick=False,
        timeout_s=LONG_S,
    ),
    Scenario(
        "came-and-went",
        "10,000 sessions come and go",
        CHURNING,
        processes.came_and_went,
        on_canned=False,
        on_stock=False,
        in_quick=False,
        timeout_s=LONG_S,
    ),
    Scenario(
        "saved-sliders",
        "sliders move, 300 /s, saved or not",
        SLIDERS,
        saved.saved_sliders,
        3,
        on_canned=False,
        on_stock=False,
    ),
    Scenario(
        "saved-many", "1000 sessions change once a second", SLIDERS, saved.saved_many, on_canned=False, on_stock=False
    ),
    Scenario(
        "restored", "a session of 38 models is restored", CHURNING, saved.restored, 3, on_canned=False, on_stock=False
    ),
    Scenario("leftover", "1000 sessions came and went", CHURNING, holding.leftover, on_canned=False, in_quick=False),
    Scenario(
        "saved-leftover",
        "1000 saved sessions sleep",
        CHURNING,
        saved.leftover,
        on_canned=False,
        in_quick=False,
        on_stock=False,
        timeout_s=LONG_S,
    ),
)
