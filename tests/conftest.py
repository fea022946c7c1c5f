"""Fixtures for every test, and how tests are spread over workers."""

from __future__ import annotations

import atexit
import gc
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.garbage import FullCollections
from tests.support.measuring import measure
from tests.support.sharing import import_share, modules_below
from tests.support.spread import folder_of, group_of, last_groups, next_group, rank_of, times_by_folder

TESTS = Path(__file__).parent
LAST_GROUPS = 12
full_collections = FullCollections()


def pytest_configure(config: pytest.Config) -> None:
    """Take signals as at a terminal: a shell has its background jobs, and their children, ignore some; so has nohup."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda number, frame: None)  # which no child inherits
    # At its end the interpreter collects what is not frozen; the rest would be finalized when modules are gone. One of
    # several workers has told by then all that it has to tell, and would need two seconds for it.
    if not hasattr(config, "workerinput"):
        atexit.register(gc.unfreeze)
    for folder in sorted({path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")}):
        config.addinivalue_line("markers", f"{folder}: a test in tests/{folder}")


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Share the compiling of test modules, and look for no garbage meanwhile.

    The tests and modules of a run all stay, and looking takes half of the time.
    """
    gc.disable()
    try:
        # What xdist tells a process if it is one of several workers.
        if worker := getattr(session.config, "workerinput", None):
            modules = list(modules_below(TESTS.parent, session.config.args))
            import_share(modules, int(worker["workerid"].removeprefix("gw")), worker["workercount"])
        return (yield)  # type: ignore[return-value]
    finally:
        gc.freeze()
        gc.enable()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark each test with its folder; `-m` selects by that before the hooks that change the order are called last."""
    item.add_marker(folder_of(item.nodeid).rpartition("/")[2])


# After plugins that choose another order: what has to come first or last does so in theirs too.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what takes longest and last what would disturb others."""
    items.sort(key=lambda item: rank_of(item.nodeid))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Measure the tests of some folders only, and of clients of a server only what they start."""
    full_collections.freeze_survivors()
    measure(folder_of(item.nodeid), getattr(item, "module", None))
    return (yield)  # type: ignore[return-value]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Collect all garbage; pytest does so several times more, and has only what came since to look through."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand a worker one group after another."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

        def _assign_work_unit(self, node: Any) -> None:
            others = [groups for other, groups in self.assigned_work.items() if other is not node]
            running = [name for groups in others for name, tests in groups.items() if not all(tests.values())]
            begun = next_group(list(self.workqueue), running, len(self.nodes))
            self.workqueue.move_to_end(begun, last=False)
            super()._assign_work_unit(node)

    return ByGroup(config, log)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what each folder took, all workers together, and which groups the others waited for at the end."""
    stats = terminalreporter.stats.values()
    reports = [each for reports in stats for each in reports if isinstance(each, pytest.TestReport)]
    rows = times_by_folder(reports)
    if len(rows) > 1:
        terminalreporter.section("time by folder")
        for folder, (tests, seconds) in rows.items():
            terminalreporter.write_line(f"{seconds:8.1f} s  {tests:5} tests  {folder}")
        terminalreporter.section("groups that ended last")
        for group, begun, ended in last_groups(reports, LAST_GROUPS):
            terminalreporter.write_line(f"from {begun:6.1f} to {ended:6.1f} s  {group}")


@pytest.fixture
def processes() -> Iterator[ExitStack]:
    """A stack for `running_server` and `running_process`: what is entered here ends after the test, pages first."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def engine() -> Iterator[None]:
    """A container engine, brought up where there is none; its base image is `debian:trixie-slim`."""
    from tests.support.containers.engine import running_engine
    from tools.engine import base_image

    with running_engine():
        base_image()
        yield
