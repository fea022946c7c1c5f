"""Settings of the alert rules for Prometheus."""

from typing import Annotated

from pydantic import Field

from app_server.deployment.spec.base import Model
from app_server.deployment.spec.readers import seconds, text

LabelName = Annotated[str, text("the name of a label: letters, digits and '_'", r"[a-zA-Z][a-zA-Z0-9_]{0,99}")]
# In braces, Prometheus would take it for a template.
_UNPRINTABLE = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
LabelValue = Annotated[str, text("a label's value without braces, on one line", rf"[^{_UNPRINTABLE}{{}}]{{1,200}}")]


class Monitoring(Model):
    """For the targets alerts, grafana and prometheus, which need `server: {metrics: yes}`."""

    round_trip_s: Annotated[float, seconds(0.001, 3600)] = 0.5
    """alert if one of 100 changes takes longer to be answered"""
    labels: dict[LabelName, LabelValue] = Field(default_factory=dict)
    """further labels of each alert, such as `team: data`"""
