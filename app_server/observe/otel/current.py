"""The ids of the span that is current, for the log. Imported only where spans are."""

from __future__ import annotations

from opentelemetry.trace import get_current_span


def span_ids() -> tuple[str, str]:
    """The trace's and the span's id as OpenTelemetry writes them; "" if no span is current."""
    context = get_current_span().get_span_context()
    return (f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else ("", "")
