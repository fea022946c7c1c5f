"""An application that starts once, and sessions that are copies of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.protocol.conftest import Served, apps, serving


@pytest.fixture(scope="module")
def runs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the application counts its runs."""
    return tmp_path_factory.mktemp("runs") / "runs"


@pytest.fixture(scope="module")
def copied(runs_file: Path) -> Iterator[Served]:
    """Two processes that take connections, and sessions that are copies."""
    flags = ["--isolation", "snapshot", "--num-procs", "2", "--token-payload", "always"]
    with serving(*apps("started.py"), *flags, env={"COUNTING_FILE": str(runs_file)}) as served:
        yield served


def visit(served: Served, value: int, **query: str) -> list[str]:
    """Open the page, move its slider; what the application saw."""
    with served.site.client("/started", served.site.token("/started", **query)) as client:
        assert client.title == "Started"
        client.set("slider", "value", value)
        return str(client.value("seen", "text")).split()


def test_30_sessions_are_one_run_and_each_is_itself(copied: Served, runs_file: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(lambda number: visit(copied, number, who=str(number)), range(1, 31)))
    assert len(runs_file.read_text().splitlines()) == 1
    processes, ids, random_numbers, numpy_numbers, arguments = zip(*seen, strict=True)
    for distinct in (processes, ids, random_numbers, numpy_numbers):
        assert len(set(distinct)) == 30
    assert set(arguments) == {"['who']"}  # the request of the page, which the application can look at later


def test_two_clients_of_a_session_see_what_it_has_become(copied: Served) -> None:
    token = copied.site.token("/started")
    with copied.site.client("/started", token) as one:
        one.set("slider", "value", 42)
        with copied.site.client("/started", token) as other:
            assert other.value("slider", "value") == 42
            assert other.value("seen", "text") == one.value("seen", "text")


def test_callbacks_that_were_asked_for_at_the_start_run_in_each_session(copied: Served) -> None:
    with copied.site.client("/started") as client:
        client.wait_for(lambda: int(client.value("beats", "text")) >= 3)


def test_an_embedded_session_and_one_with_an_id_of_its_own_are_copies_too(copied: Served, runs_file: Path) -> None:
    query = {"bokeh-autoload-element": "e1", "bokeh-app-path": "/started"}
    tokens = [copied.site.get("/started/autoload.js", **query).token]
    tokens.append(copied.site.get("/started", headers={"Bokeh-Session-Id": "mine"}).token)
    for token in tokens:
        with copied.site.client("/started", token) as client:
            client.set("slider", "value", 3)
            assert client.value("seen", "text")
    assert len(runs_file.read_text().splitlines()) == 1


FAULTS = {
    "asks": "looks at session_context when it starts at ",
    "thread": "starts the thread watcher, which a fork does not have",
    "socket": "leaves a socket open, which its sessions would share",
    "process": "starts a process, which is not its sessions'",
    "raises": "fails: ",
}


def test_applications_that_cannot_start_for_all_start_for_each(tmp_path: Path) -> None:
    (source,) = apps("started.py")
    for fault in FAULTS:
        (tmp_path / f"started_{fault}.py").write_text(source.read_text())
    runs = tmp_path / "runs"
    scripts = sorted(tmp_path.glob("*.py"))
    with serving(*scripts, "--isolation", "snapshot", env={"COUNTING_FILE": str(runs)}) as served:
        for fault, reason in FAULTS.items():
            path = f"/started_{fault}"
            fallback = "cannot use snapshots, falling back to --isolation process"
            served.process.wait_for_log(f"{path}: {fallback}: the application {reason}")
            if fault == "raises":
                assert served.site.get(path).status == 500
            else:
                with served.site.client(path) as client:
                    client.set("slider", "value", 1)
                    assert client.value("seen", "text")
        counted = Counter(runs.read_text().splitlines())
        assert counted == {str(script): 2 for script in scripts}  # the attempt, and the session


def test_an_application_chooses_its_isolation(tmp_path: Path) -> None:
    for name in ("process", "snapshot", "none"):
        (tmp_path / f"as_{name}.py").write_text(
            f"import os\nfrom bokeh.models import Div\nfrom bokeh.plotting import curdoc\n__isolation__ = '{name}'\n"
            "curdoc().add_root(Div(name='it', text=str(os.getpid())))\n"
        )
    with serving(*sorted(tmp_path.glob("*.py"))) as served:
        found: dict[str, set[str]] = {}
        for name in ("process", "snapshot", "none"):
            for _ in range(2):
                with served.site.client(f"/as_{name}") as client:
                    found.setdefault(name, set()).add(client.value("it", "text"))
        # What a copy remembers of its start, the process in which it was included, is the same in all.
        assert [len(found[name]) for name in ("process", "snapshot", "none")] == [2, 1, 1]
