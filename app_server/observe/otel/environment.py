"""OpenTelemetry's variables in the environment, checked before the server starts: the SDK only logs what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from app_server.errors import OperatorError

Environ = Mapping[str, str]

_SAMPLERS = (
    "always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off",
    "parentbased_traceidratio",
)  # fmt: skip
_NAMED_PER_SIGNAL = {
    "traces": ("OTEL_EXPORTER_OTLP_TRACES_{}", "OTEL_EXPORTER_OTLP_{}"),
    "metrics": ("OTEL_EXPORTER_OTLP_METRICS_{}", "OTEL_EXPORTER_OTLP_{}"),
}
_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_SIGNAL_PATH = re.compile(r"/(v1/(?:traces|metrics))/?$")
DEFAULT_ENDPOINT = "http://localhost:4318"
INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL"
DEFAULT_INTERVAL_MS = 60_000


def check_environment(environ: Environ, signals: tuple[str, ...]) -> None:
    """Raise OperatorError for the first variable that these signals, "traces" or "metrics", cannot be sent with."""
    for fault in _faults(environ, signals):
        raise fault


def endpoint(environ: Environ, signal: str) -> str:
    """Where this signal is sent, for the log: without a password, and without a query."""
    given = _first(environ, signal, "ENDPOINT")
    parts = urlsplit(given[1] if given else DEFAULT_ENDPOINT)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def interval_s(environ: Environ) -> float:
    """How often figures are sent."""
    return float(environ.get(INTERVAL) or DEFAULT_INTERVAL_MS) / 1000


def _first(environ: Environ, signal: str, what: str) -> tuple[str, str] | None:
    """The variable that says this of the signal, and its value; the signal's own is first."""
    names = (pattern.format(what) for pattern in _NAMED_PER_SIGNAL[signal])
    return next(((name, environ[name]) for name in names if environ.get(name)), None)


def _faults(environ: Environ, signals: tuple[str, ...]) -> Iterator[OperatorError]:
    for signal in signals:
        yield from _of_exporter(environ, signal)
    if "traces" in signals:
        yield from _of_sampler(environ)
        yield from _of_queue(environ)
    if "metrics" in signals:
        yield from _unless(environ, INTERVAL, lambda value: float(value) >= 100, "milliseconds, 100 or more")


def _of_exporter(environ: Environ, signal: str) -> Iterator[OperatorError]:
    if (protocol := _first(environ, signal, "PROTOCOL")) is not None and protocol[1] != "http/protobuf":
        hint = "Set it to http/protobuf, and the endpoint to the collector's port for HTTP, usually 4318."
        yield OperatorError(f"{protocol[1]} is not supported", where=protocol[0], hint=hint)
    if (where := _first(environ, signal, "ENDPOINT")) is not None and not _is_url(where[1]):
        yield OperatorError(
            "expected an http:// or https:// address", where=where[0], hint=f"For example {DEFAULT_ENDPOINT}."
        )
    elif where is not None and where[0] == _ENDPOINT and (path := _SIGNAL_PATH.search(where[1])) is not None:
        what = f"/v1/{signal} is added to this address, which ends in /{path[1]}"
        hint = f"Leave /{path[1]} out, or set OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT."
        yield OperatorError(what, where=_ENDPOINT, hint=hint)
    if (timeout := _first(environ, signal, "TIMEOUT")) is not None:
        yield from _unless(environ, timeout[0], lambda value: float(value) > 0, "a number of seconds")
    if (compression := _first(environ, signal, "COMPRESSION")) is not None:
        known = ("none", "gzip", "deflate")
        yield from _unless(environ, compression[0], lambda value: value in known, "none, gzip or deflate")


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _of_sampler(environ: Environ) -> Iterator[OperatorError]:
    known = f"one of {', '.join(_SAMPLERS)}"
    yield from _unless(environ, "OTEL_TRACES_SAMPLER", lambda value: value in _SAMPLERS, known)
    if "ratio" in environ.get("OTEL_TRACES_SAMPLER", ""):
        share = "a share between 0 and 1"
        yield from _unless(environ, "OTEL_TRACES_SAMPLER_ARG", lambda value: 0 <= float(value) <= 1, share)


def _of_queue(environ: Environ) -> Iterator[OperatorError]:
    for name in ("MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE", "SCHEDULE_DELAY", "EXPORT_TIMEOUT"):
        yield from _unless(environ, f"OTEL_BSP_{name}", lambda value: int(value) > 0, "a whole number above 0")
    size, batch = (environ.get(f"OTEL_BSP_{name}") for name in ("MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE"))
    most = int(size) if size and size.isdecimal() else 2048
    if (int(batch) if batch and batch.isdecimal() else 512) > most:
        hint = "Raise OTEL_BSP_MAX_QUEUE_SIZE, or lower OTEL_BSP_MAX_EXPORT_BATCH_SIZE."
        where = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" if batch else "OTEL_BSP_MAX_QUEUE_SIZE"
        yield OperatorError(f"a batch cannot be larger than the queue, {most}", where=where, hint=hint)


def _unless(environ: Environ, name: str, holds: Callable[[str], bool], expected: str) -> Iterator[OperatorError]:
    """The fault of a variable that is set and not as expected."""
    value = environ.get(name)
    try:
        fine = not value or holds(value)
    except ValueError:
        fine = False
    if not fine:
        yield OperatorError(f"expected {expected}, not {value!r}", where=name)
