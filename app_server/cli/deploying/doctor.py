"""`app-server doctor URL`: check a running deployment from outside, and say what is wrong and where."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from app_server.cli.command import Command, Flag, Word, choices, switch
from app_server.settings import Arity

COMMAND = Command(
    forms=("URL [flags]",),
    text="Check a running deployment from outside, and say what is wrong and where.",
    examples=("app-server doctor https://www.example.com/sliders",),
    words=(Word(name="url", metavar="URL", help="the address that people open"),),
    flags=(
        Flag(names=("--long",), metavar="[SECONDS]", arity=Arity.OPTIONAL, default="70",
             help="leave a socket idle for longer than proxies usually wait"),
        Flag(names=("--instances",), metavar="N", help="how many instances there should be, to find a missing one"),
        Flag(names=("--opens",), metavar="N", help="how many times to open the application", default="6"),
        Flag(names=("--embed-origin",), metavar="ORIGIN", arity=Arity.REPEATED,
             help="a site whose pages embed the application"),
        Flag(names=("--http-port",), metavar="PORT", help="the port where http:// should redirect to https://",
             default="80, if TLS is on 443"),
        Flag(names=("--ca-file",), metavar="FILE", help="trusted authorities, instead of this machine's"),
        Flag(names=("--connect-to",), metavar="ADDRESS",
             help="connect to this address, whatever the name resolves to: before DNS changes"),
        Flag(names=("--header",), metavar="'NAME: VALUE'", arity=Arity.REPEATED,
             help="send this with each request, such as a login's cookie"),
        Flag(names=("--proxy",), metavar="NAME", help="the proxy, if its answers do not tell",
             choices=choices("nginx", "apache")),
        Flag(names=("--timeout",), metavar="SECONDS", help="how long to wait for each answer", default="10"),
        switch("--json", "print the report as JSON"),
    ),
    notes="The status is 0 if an application answered and nothing is broken, else 1.",
)  # fmt: skip


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What checks the deployment and prints the report, after all words have been checked."""
    from app_server.cli.deploying import examination

    return examination.prepare(namespace, environ)
