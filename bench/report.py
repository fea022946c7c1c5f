"""The table of a run: for a terminal, and as a page of the manual."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from string import Template

from bench.goals import Row
from bench.servers import ASGI, CANNED, OURS, STOCK

HEADINGS = ("scenario", "stock", "ours", "asgi", "canned", "ratio", "goal", "reached")
VERDICTS = {True: "yes", False: "SHORTFALL", None: ""}
NOT_MEASURED = "-"
PAGE = Template("""# Benchmarks

app-server compared with `bokeh serve`, both in one run on one machine. Look at the ratios; absolute times depend on the
machine.

![How many times better than bokeh serve]($picture)

$table

**ratio** says how many times better ours is than stock, whichever direction is better. **asgi** is ours as an
[ASGI application](asgi.md) at uvicorn, which frames and compresses messages itself. **canned** is a Tornado server
that keeps no document and answers with recorded bytes in one write: the limit of Tornado in Python. A dash means: not
measured there.

Measured on $machine; $versions.

## How it is measured

- The load generator is one process on one core, the server under test another on the other core. The load generator
  speaks HTTP/1.1 and WebSocket over raw asyncio protocols with `TCP_NODELAY`, and does not import bokeh. All traffic
  stays on loopback.
- Each figure comes from a server started only for it. Scenarios are repeated up to three times, alternating between the
  servers, and the medians are shown. Both servers get the same flags: log level `warning`, and a session lifetime of an
  hour, or of a second if sessions come and go.
- CPU is the server process's own clock, memory its anonymous memory. Neither includes the load generator.
- A round trip ends with the last frame of the server's PATCH-DOC; in a closed loop, the next begins after its OK.
- At a given rate, independent users move their sliders at random (a Poisson process, the same in each run), whether or
  not the server keeps up. What is never answered is infinitely late.
- A push contains the time at which the application made it: its age on arrival is the clock minus that. Behind the grid
  is how late it arrives compared with ticks exactly 50 ms apart, beginning with the session's best one: a timer that
  drifts falls behind.
- A connection of 1 MB/s is a program in between that forwards that many bytes a second. The session sends 1.9 MB/s to
  the client behind it and to another one without a limit; ages are taken after three seconds. No row that the
  application streams may be missing at either client.
- What fills one process is calculated from the CPU for an update. Beyond that, or if other programs use the processor,
  updates are skipped, evenly over the sessions.
- The stall is the longest round trip of one open session while 200 others, whose pages have closed, are ended.
- A first page is the page and the scripts in its head, for a browser that accepts gzip and brotli; bytes include
  headers.
- Servers of several processes use all cores, one of which the load generator shares. Eight independent clients open
  sessions. A stuck session is in an endless loop, while twenty others move their sliders ten times a second. A page is
  drawn when BokehJS says that its document is idle. Chromium and the server share all cores; 10 Mbit/s and 40 ms are
  what Chromium emulates for a page and its scripts.
- Each of 1000 sessions is moved once a minute for five minutes (`BENCH_MINUTES`, `BENCH_HELD`). Their private memory is
  that of all processes of the server, divided by their number. Memory after 10,000 sessions (`BENCH_CAME`) is compared
  with that after the first 500.
- What is left of ended sessions is the growth of memory over the second half of them. After $leftover_s s the rest of
  them is skipped: the stock server needs longer than that.

## How to repeat it

```
python -m bench.run --markdown docs/benchmarks.md --picture docs/images/bench.svg --json bench.json
python -m bench.run --quick --only round-trip
```

The first takes about ten minutes on two idle cores. `bench/scenarios.py` names the loads, `bench/goals.py` the goals.
""")


@dataclass(frozen=True)
class Circumstances:
    """The machine and the versions of a run."""

    machine: str
    versions: str


def amount(value: float | None, unit: str) -> str:
    """A figure with three significant digits and its unit."""
    if value is None:
        return NOT_MEASURED
    if value != value or value == float("inf"):
        return "lost"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:.{digits}f}" if unit else f"{value:g}"
    return f"{text} {unit}".rstrip()


def cells(row: Row) -> tuple[str, ...]:
    """One line of the table, in the order of `HEADINGS`."""
    ratio = row.times_better
    figures = (amount(row.figures.get(server), row.goal.unit) for server in (STOCK, OURS, ASGI, CANNED))
    shown = NOT_MEASURED if ratio is None else f"{ratio:.3g}x"
    return (row.goal.says, *figures, shown, row.goal.wish, VERDICTS[row.reached])


def for_terminal(table: Iterable[Row]) -> str:
    """The table in columns of equal width."""
    lines = [HEADINGS, *map(cells, table)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def for_manual(table: list[Row], circumstances: Circumstances, picture: str, leftover_s: float) -> str:
    """The page of the manual."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *map(cells, table)]
    return PAGE.substitute(
        table="\n".join(f"| {' | '.join(line)} |" for line in lines),
        picture=picture,
        machine=circumstances.machine,
        versions=circumstances.versions,
        leftover_s=f"{leftover_s:g}",
    )
