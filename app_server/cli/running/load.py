"""`app-server load URL`: how many people an application carries."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial

from app_server.cli.command import Command, Flag, Word, switch
from app_server.settings import Arity

COMMAND = Command(
    forms=("URL [--people N] [flags]",),
    text="Measure how many people an application carries: open sessions as browsers do, use the widgets as people do, "
    "and let more come until they have to wait. Only for servers with --allow-load-tests.",
    examples=(
        "app-server load http://localhost:5006/sliders",
        "app-server load https://tools.example.org/sliders --people 300 --write",
    ),
    words=(Word(name="url", metavar="URL", help="the address that people open"),),
    flags=(
        Flag(names=("--people",), metavar="N", help="say which deployment so many people need"),
        Flag(names=("--p99",), metavar="TIME", default="200ms",
             help="how long 99 of 100 answers may take at most, such as 0.5s"),
        Flag(names=("--most",), metavar="N", help="the most people to let come", default="1000"),
        Flag(names=("--first",), metavar="N", help="how many come first", default="5"),
        Flag(names=("--think",), metavar="SECONDS", help="how long a person thinks on average before the next move",
             default="5"),
        Flag(names=("--stage",), metavar="SECONDS", help="how long each number of people is measured", default="10"),
        Flag(names=("--play",), metavar="FILE|FOLDER",
             help="do what was recorded with `serve --record` instead of moving any widget"),
        switch("--scripts", "load each page's scripts and styles, too, as a first visitor does"),
        Flag(names=("--metrics",), metavar="URL", arity=Arity.REPEATED,
             help="the address of an instance with --metrics, for memory and processor time"),
        Flag(names=("--instances",), metavar="N", help="how many instances serve the address",
             default="one for each --metrics, or 1"),
        Flag(names=("--header-file",), metavar="FILE",
             help="send the headers in this file, such as a login's cookie, one to a line"),
        Flag(names=("--ca-file",), metavar="FILE", help="trusted authorities, instead of this machine's"),
        Flag(names=("--timeout",), metavar="SECONDS", help="how long to wait for the first page", default="60"),
        switch("--yes-this-is-mine", "test a server that does not say that it allows load tests"),
        switch("--json", "print the report as JSON"),
        Flag(names=("--picture",), metavar="FILE", help="also draw the report, as SVG"),
        Flag(names=("--write",), metavar="[FILE]", arity=Arity.OPTIONAL, default="the nearest deploy.yaml",
             help="put what --people need into this file; its comments stay"),
    ),
    notes="Ctrl-C ends the test with the report so far.",
)  # fmt: skip


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What makes the test and prints the report, after all words have been checked."""
    from app_server.cli.load_tests.asked import asked_for
    from app_server.cli.load_tests.running import run

    return partial(run, asked_for(namespace, environ), environ)
