"""How many random inputs the unit tests try that do not say so themselves."""

from __future__ import annotations

from hypothesis import settings

from tests.support.examples import examples

settings.register_profile("this run", max_examples=examples())
settings.load_profile("this run")
