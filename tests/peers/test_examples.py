"""The examples, tried by someone who knows none of them."""

from __future__ import annotations

from itertools import islice

import pytest

from tests.peers.conftest import Peers
from tests.peers.picture import differences, shape
from tests.peers.test_applications import accounts_of, assert_same
from tests.peers.trying import try_everything

STEADY = (
    "daylight", "explorer", "live", "embedding", "minimal_dir", "myapp", "myapp_dir", "request_arguments",
    "session_cleanup", "sliders", "template_variables", "lifecycle",
)  # fmt: skip
MOVING = ("annealing", "fractal", "streaming", "threads", "unlocked")
"""What these show depends on the time, or on how fast a thread is."""


@pytest.mark.parametrize("name", STEADY)
def test_example_does_the_same_under_both_servers(peers: Peers, name: str) -> None:
    assert_same(peers, f"/{name}", try_everything)


@pytest.mark.parametrize("name", MOVING)
def test_example_that_moves_shows_the_same_models(peers: Peers, name: str) -> None:
    accounts = accounts_of(peers, f"/{name}", try_everything)
    stock, ours = ([shape(account.first), account.answers, shape(account.last)] for account in accounts)
    assert list(islice(differences(stock, ours), 20)) == []
