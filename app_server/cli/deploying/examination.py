"""What `app-server doctor` examines: what was typed as options, and the report. It brings asyncio and TLS along."""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial

from app_server.cli.terminal import columns, paint_for, say
from app_server.cli.typed import header_of, number_of, optional, read_number, word_of
from app_server.doctor.address import Target, parse_target, read_origin
from app_server.doctor.network.connection import Route
from app_server.doctor.network.tls import trusted_context
from app_server.doctor.options import LONG_IDLE_S, SHORT_IDLE_S, Options
from app_server.doctor.probes import examine
from app_server.doctor.report import as_data, as_text, exit_status
from app_server.doctor.rules import judge
from app_server.errors import OperatorError


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What checks the deployment and prints the report, after all words have been checked."""
    if not namespace.url:
        raise OperatorError("no address", hint="For example: app-server doctor https://example.com/sliders")
    target, authorization = parse_target(namespace.url)
    headers = [header_of(text) for text in getattr(namespace, "header", [])]
    if authorization is not None:
        headers.append(("Authorization", authorization))
    options = Options(
        ca_file=_checked_file(word_of(namespace, "ca_file")),
        route=Route(
            word_of(namespace, "connect_to"), tuple(headers), number_of(namespace, "timeout", 10.0, low=0.1, high=3600)
        ),
        idle_s=_idle_s(namespace),
        openings=int(number_of(namespace, "opens", 6, low=1, high=200, whole=True)),
        instances=optional(namespace, "instances", high=10_000),
        embed_origins=tuple(read_origin(text) for text in getattr(namespace, "embed_origin", [])),
        http_port=optional(namespace, "http_port", high=65535),
        proxy=word_of(namespace, "proxy"),
    )
    return partial(run, target, options, environ, as_json="json" in namespace)


def run(target: Target, options: Options, environ: Mapping[str, str], *, as_json: bool) -> int:
    """Print the report; 0 if an application answered and nothing is broken, else 1."""
    started = time.monotonic()
    if not as_json and sys.stderr.isatty():
        print(f"Checking {target.url} for about {options.idle_s + 1:.0f} s ...", file=sys.stderr, flush=True)
    evidence = asyncio.run(examine(target, options))
    findings = judge(evidence)
    took_s = time.monotonic() - started
    if as_json:
        say(json.dumps(as_data(evidence, findings, took_s), indent=2))
    else:
        say(as_text(evidence, findings, took_s, paint_for(sys.stdout, environ), columns()))
    return exit_status(evidence, findings)


def _idle_s(namespace: argparse.Namespace) -> float:
    if "long" not in namespace:
        return SHORT_IDLE_S
    return LONG_IDLE_S if namespace.long is None else read_number(namespace.long, "long", 1, 86400, False)


def _checked_file(ca_file: str | None) -> str | None:
    try:
        trusted_context(ca_file)
        return ca_file
    except (OSError, ssl.SSLError) as error:
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise OperatorError(
            f"cannot be read as certificates: {reason}", where=f"--ca-file {ca_file}",
            hint="Give a file in PEM format.",
        ) from None  # fmt: skip
