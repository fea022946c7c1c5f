"""How many random inputs a test tries, in a whole run and in one that is to be quick."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.support.examples import BY_DEFAULT, VARIABLE, examples


def test_a_whole_run_tries_all_and_a_quick_one_its_share_but_at_least_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert (examples(), examples(300)) == (BY_DEFAULT, 300)
    monkeypatch.setenv(VARIABLE, "0.25")
    assert (examples(), examples(300), examples(1)) == (25, 75, 1)


def test_tests_that_name_no_number_try_the_share_of_this_run() -> None:
    assert settings().max_examples == examples()
