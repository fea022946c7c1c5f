"""Hosts that stay up from test to test, and are as each test needs them, in whatever order tests come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from enum import Enum, auto
from pathlib import Path
from typing import Generic, TypeVar

from tests.support.hosts.kept import Place
from tests.support.hosts.playbooks import Host, files_of

T = TypeVar("T")


class State(Enum):
    """What has been done to the hosts that are up."""

    NONE = auto()
    """They are in a state that no other test can begin with, or there are none."""
    BARE = auto()
    INSTALLED = auto()
    """As the first run has left them."""
    USED = auto()
    """The deployment serves; there may be traces of releases that were refused or taken back."""


class Stage(Generic[T]):
    """The hosts of a place with a deployment.

    `describe` makes the deployment for hosts in a folder, and writes its files if the folder is empty; `install` brings
    it to bare hosts, and `serves` returns when hosts that were started again serve it. `folders` names new folders.
    """

    def __init__(
        self, place: Place, folders: Callable[[], Path],
        describe: Callable[[Sequence[Host], Path], T], install: Callable[[T], None], serves: Callable[[T], None],
    ) -> None:  # fmt: skip
        self._place = place
        self._folders = folders
        self._describe = describe
        self._install = install
        self._serves = serves
        self._up = ExitStack()
        self._state = State.NONE
        self._hosts: Sequence[Host] = []
        self._before: list[set[str]] = []

    @property
    def before(self) -> list[set[str]]:
        """Every file that each host had before anything was done."""
        return self._before

    def bare(self) -> T:
        """The deployment on hosts on which nothing of it is."""
        if self._state is not State.BARE:
            self.spend()
            self._folder = self._folders()
            self._folder.mkdir()
            self._hosts = self._up.enter_context(self._place.bare())
            self._before = [files_of(host) for host in self._hosts]
            self._deployment = self._describe(self._hosts, self._folder)
            self._state = State.BARE
        return self._deployment

    def installed(self) -> T:
        """The deployment as the first run has left it."""
        if self._state is not State.INSTALLED:
            self._start_again() if self._place.is_kept else self._install_first()
        return self._deployment

    def serving(self) -> T:
        """The deployment, installed; a test may do to it what leaves it serving."""
        if self._state is not State.USED:
            self.installed()
        self._state = State.USED
        return self._deployment

    def begin(self) -> None:
        """Take down that a test changes the hosts from here on, so no other can go on with them."""
        self._state = State.NONE

    def is_installed(self) -> None:
        """Take down that the deployment is on the hosts that were bare."""
        self._state = State.INSTALLED
        if not self._place.is_kept:
            self._place.keep(self._hosts, self._folder, self._before)

    def spend(self) -> None:
        """Let the hosts go: what was done to them, or what failed, is nothing to begin with."""
        self._state = State.NONE
        self._up.close()

    def _install_first(self) -> None:
        deployment = self.bare()
        self.begin()
        self._install(deployment)
        self.is_installed()

    def _start_again(self) -> None:
        self.spend()
        self._folder = self._folders()
        self._hosts, self._before = self._up.enter_context(self._place.again(self._folder))
        self._deployment = self._describe(self._hosts, self._folder)
        self._serves(self._deployment)
        self._state = State.INSTALLED
