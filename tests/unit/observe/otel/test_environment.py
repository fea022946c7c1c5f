"""OpenTelemetry's own variables."""

from __future__ import annotations

import pytest

from app_server.errors import OperatorError
from app_server.observe.otel.environment import check_environment, endpoint, interval_s

BOTH = ("traces", "metrics")


def test_empty_environment_and_what_the_field_uses_are_fine() -> None:
    check_environment({}, BOTH)
    check_environment(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example.org:4318/base",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2.5",
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "0.01",
            "OTEL_BSP_MAX_QUEUE_SIZE": "100",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "100",
            "OTEL_METRIC_EXPORT_INTERVAL": "15000",
        },
        BOTH,
    )


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
         "OTEL_EXPORTER_OTLP_PROTOCOL: grpc is not supported. Set it to http/protobuf, and the endpoint to the "
         "collector's port for HTTP, usually 4318."),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"},
         "OTEL_EXPORTER_OTLP_ENDPOINT: expected an http:// or https:// address. For example http://localhost:4318."),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://"},
         "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: expected an http:// or https:// address. For example "
         "http://localhost:4318."),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/v1/traces"},
         "OTEL_EXPORTER_OTLP_ENDPOINT: /v1/traces is added to this address, which ends in /v1/traces. Leave /v1/traces "
         "out, or set OTEL_EXPORTER_OTLP_TRACES_ENDPOINT."),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"},
         "OTEL_EXPORTER_OTLP_TIMEOUT: expected a number of seconds, not 'soon'"),
        ({"OTEL_EXPORTER_OTLP_METRICS_COMPRESSION": "brotli"},
         "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION: expected none, gzip or deflate, not 'brotli'"),
        ({"OTEL_TRACES_SAMPLER": "sometimes"},
         "OTEL_TRACES_SAMPLER: expected one of always_on, always_off, traceidratio, parentbased_always_on, "
         "parentbased_always_off, parentbased_traceidratio, not 'sometimes'"),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "10"},
         "OTEL_TRACES_SAMPLER_ARG: expected a share between 0 and 1, not '10'"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "0"}, "OTEL_BSP_MAX_QUEUE_SIZE: expected a whole number above 0, not '0'"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "100"},
         "OTEL_BSP_MAX_QUEUE_SIZE: a batch cannot be larger than the queue, 100. Raise OTEL_BSP_MAX_QUEUE_SIZE, or "
         "lower OTEL_BSP_MAX_EXPORT_BATCH_SIZE."),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "1"},
         "OTEL_METRIC_EXPORT_INTERVAL: expected milliseconds, 100 or more, not '1'"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_said_before_the_server_starts(environ: dict[str, str], message: str) -> None:
    with pytest.raises(OperatorError) as caught:
        check_environment(environ, BOTH)
    assert str(caught.value) == message


def test_address_may_have_a_path_and_that_of_a_signal_is_taken_as_it_is() -> None:
    check_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector/otlp/"}, BOTH)
    check_environment({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector/v1/traces"}, ("traces",))


def test_what_is_not_sent_is_not_checked() -> None:
    check_environment({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "?", "OTEL_METRIC_EXPORT_INTERVAL": "?"}, ("traces",))
    check_environment({"OTEL_TRACES_SAMPLER": "?"}, ("metrics",))


def test_address_in_the_log_has_no_password() -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://me:secret@collector:4318/x?key=secret"}
    assert endpoint(environ, "traces") == "https://collector:4318"
    assert endpoint({}, "metrics") == "http://localhost:4318"


def test_figures_are_sent_every_minute_unless_the_environment_says_otherwise() -> None:
    assert interval_s({}) == 60
    assert interval_s({"OTEL_METRIC_EXPORT_INTERVAL": "500"}) == 0.5
