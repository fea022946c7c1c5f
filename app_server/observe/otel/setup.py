"""What `--otel` asks for, made from the settings and OpenTelemetry's own variables. Its packages are imported here."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING

from app_server.errors import OperatorError
from app_server.observe.otel.environment import check_environment, endpoint
from app_server.observe.otel.tracing import UNTRACED, Tracing
from app_server.settings import Settings
from app_server.version import NAME, __version__, how_to_install

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from app_server.observe.otel.figures import FigureSender

_PACKAGES = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")


def check_otel(settings: Settings, environ: Mapping[str, str]) -> None:
    """Raise OperatorError if what --otel asks for is not installed, or the environment does not allow it."""
    if settings.otel == "off":
        return
    try:
        import opentelemetry.exporter.otlp.proto.http
        import opentelemetry.sdk.trace  # noqa: F401
    except ImportError:
        hint = how_to_install("otel", served_with=" and ".join(_PACKAGES))
        raise OperatorError("OpenTelemetry is not installed", where="--otel", hint=hint) from None
    if _sends(settings, "metrics"):
        try:
            import prometheus_client  # noqa: F401
        except ImportError:
            hint = how_to_install("otel", served_with="prometheus-client")
            raise OperatorError("prometheus-client is not installed", where="--otel", hint=hint) from None
    check_environment(environ, tuple(signal for signal in ("traces", "metrics") if _sends(settings, signal)))


def make_tracing(settings: Settings) -> Tracing:
    """What begins the spans of a process, before it is started there."""
    if not _sends(settings, "traces") or _disabled(os.environ):
        return UNTRACED
    check_otel(settings, os.environ)
    from app_server.observe.otel.spans import Pipeline, Spans, pipeline_for

    def make(instance: str) -> Pipeline:
        return pipeline_for(_resource(settings, instance), endpoint(os.environ, "traces"))

    return Spans(make)


def make_figure_sender(settings: Settings, instance: str) -> FigureSender | None:
    """What sends the figures of this process; None if they are not sent."""
    if not _sends(settings, "metrics") or _disabled(os.environ):
        return None
    check_otel(settings, os.environ)
    from app_server.observe.otel.figures import FigureSender

    return FigureSender(_resource(settings, instance), endpoint(os.environ, "metrics"))


def instance_of(settings: Settings, port: int | None, process: str) -> str:
    """What this process is called: the same after a restart, another for each process that runs at the same time."""
    place = settings.route or f"{platform.node()}:{settings.unix_socket or port}"
    return f"{place}/{process}"


def _sends(settings: Settings, signal: str) -> bool:
    return settings.otel in (signal, "both")


def _disabled(environ: Mapping[str, str]) -> bool:
    return environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def _resource(settings: Settings, instance: str) -> Resource:
    """What every span and figure says of its process; what the environment says is not replaced."""
    from opentelemetry.sdk.resources import Resource

    attributes = {"service.name": NAME, "service.version": __version__, "service.instance.id": instance}
    if settings.route:
        attributes["app_server.route"] = settings.route
    stated = {pair.partition("=")[0].strip() for pair in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",")}
    if os.environ.get("OTEL_SERVICE_NAME"):
        stated.add("service.name")
    own = {name: value for name, value in attributes.items() if name not in stated}
    return Resource.create({**own, "process.pid": os.getpid()})
