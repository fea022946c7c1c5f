"""Traces and figures for OpenTelemetry. Only what `--otel` asks for is imported, and nothing without it."""
