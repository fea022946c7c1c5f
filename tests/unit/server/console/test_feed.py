"""All instances as the pages see them: this one, and those that cannot be asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.processes.runtime_dir import RuntimeDir
from app_server.requests.state.maintenance import Maintenance
from app_server.security.console_peers import keys_of
from app_server.server.console.audit import Audit
from app_server.server.console.feed import Feed
from app_server.server.console.own_instance import OwnInstance, lasts_s
from app_server.server.console.peer_api import Peer
from tests.support.ports import free_port

KEY = keys_of("secret")[0]


class Deployment:
    """An instance whose processes have all ended, and another one that is away."""

    def __init__(self, folder: Path) -> None:
        self.audit = Audit(None)
        self.maintenance = Maintenance(folder / "maintenance")
        self.away = f"127.0.0.1:{free_port()}"
        own = OwnInstance("one", RuntimeDir(folder), 2**22 + 1, self.maintenance, self.audit)
        self.feed = Feed(own, [Peer(self.away, KEY)], self.audit)


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


async def test_instance_that_is_away_is_shown_with_the_reason(deployment: Deployment) -> None:
    own, other = await deployment.feed.look({"sessions", "log", "history"})
    assert (own["name"], own["address"], own["sessions"], own["log"]) == ("one", "", [], [])
    assert own["history"]["at_s"] == []
    assert (other["name"], other["address"]) == (deployment.away, deployment.away)
    assert other["fault"].startswith("cannot be reached: ")


async def test_operators_who_look_at_the_same_time_share_an_answer(deployment: Deployment) -> None:
    first = await deployment.feed.look({"history"})
    assert await deployment.feed.look({"history"}) is first
    assert await deployment.feed.look({"audit"}) is not first


async def test_maintenance_is_switched_and_written_down(deployment: Deployment) -> None:
    result = await deployment.feed.act("", {"act": "maintenance on", "text": "Back soon", "on": "one"}, "ann")
    assert result == "new visitors are turned away"
    notice = deployment.maintenance.notice()
    assert notice is not None and notice.text == "Back soon"
    (own, _) = await deployment.feed.look({"audit"})
    assert own["maintenance"] == "Back soon"
    await deployment.feed.act("", {"act": "maintenance off"}, "ann")
    assert deployment.maintenance.notice() is None
    assert [(entry["who"], entry["act"], entry["on"]) for entry in deployment.audit.entries()] == [
        ("ann", "maintenance on: Back soon", "one"), ("ann", "maintenance off", "one"),
    ]  # fmt: skip


@pytest.mark.parametrize("process", ["../../etc/passwd", "worker-0-7/../x", "", "lock"])
async def test_order_names_no_other_file(deployment: Deployment, process: str) -> None:
    order = {"act": "end", "process": process, "key": "k", "on": "x"}
    assert await deployment.feed.act("", order, "ann") == "failed: not a process of this server"


async def test_session_whose_process_has_ended_meanwhile_has_ended(deployment: Deployment) -> None:
    order = {"act": "end", "process": "worker-0-7", "key": "k"}
    assert await deployment.feed.act("", order, "ann") == "the session has ended already"
    assert await deployment.feed.act("", {"act": "explode"}, "ann") == "this server does not know that act"


@pytest.mark.parametrize(("seconds", "lasts"), [(0, 0.0), (5, 5.0), (1e9, 120.0), (-1, 0.0), ("5", 0.0), (None, 0.0)])
def test_act_takes_the_time_that_it_is_given(seconds: object, lasts: float) -> None:
    assert lasts_s({"seconds": seconds}) == lasts


async def test_failed_act_at_another_instance_is_written_down_here(deployment: Deployment) -> None:
    result = await deployment.feed.act(deployment.away, {"act": "drain", "on": "two"}, "ann")
    assert result.startswith("failed: the console cannot be reached: ")
    (entry,) = deployment.audit.entries()
    assert (entry["act"], entry["on"], entry["result"]) == ("drain", f"two at {deployment.away}", result)
