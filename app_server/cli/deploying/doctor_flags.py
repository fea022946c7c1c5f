"""The flags of `app-server doctor`, apart from what it does, so that help is there at once."""

from __future__ import annotations

import argparse

DOCTOR_USAGE = """app-server doctor URL [flags]

  --long [SECONDS]        leave a socket idle for longer than proxies mostly wait (70)
  --instances N           how many instances there should be, to find one that is missing
  --opens N               how many times to open the application (6)
  --embed-origin ORIGIN   a site whose pages embed the application (repeatable)
  --http-port PORT        where http:// should lead to https:// (80, where TLS is at 443)
  --ca-file FILE          authorities that are trusted, instead of this machine's
  --connect-to ADDRESS    go there, whatever the name leads to: before DNS is changed
  --header 'NAME: VALUE'  send this with each request, such as a login's cookie (repeatable)
  --proxy NAME            nginx or apache, where the answers do not tell
  --timeout SECONDS       how long to wait for each answer (10)
  --json                  print the report for programs

  The status is 0 where the application was seen and nothing is broken, else 1."""


def add_doctor_arguments(parser: argparse.ArgumentParser) -> None:
    """Let the parser know them."""
    parser.add_argument("url", nargs="?", default="", metavar="URL", help="the address that people open")
    parser.add_argument("--long", nargs="?", metavar="SECONDS", help="leave a socket idle for so long")
    parser.add_argument("--embed-origin", action="append", metavar="ORIGIN", help="a site that embeds the application")
    parser.add_argument("--header", action="append", metavar="HEADER", help="send this with each request")
    parser.add_argument("--json", action="store_const", const=True, help="print the report for programs")
    for flag, metavar, about in (
        ("--instances", "N", "how many instances there should be"),
        ("--opens", "N", "how many times to open the application"),
        ("--http-port", "PORT", "where http:// should lead to https://"),
        ("--ca-file", "FILE", "authorities that are trusted"),
        ("--connect-to", "ADDRESS", "go there, whatever the name leads to"),
        ("--proxy", "NAME", "nginx or apache"),
        ("--timeout", "SECONDS", "how long to wait for each answer"),
    ):
        parser.add_argument(flag, nargs=1, metavar=metavar, help=about)
