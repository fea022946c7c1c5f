"""The types of settings with a few values to choose from."""

from __future__ import annotations

from typing import Literal

SessionIds = Literal["unsigned", "signed", "external", "external-signed"]
SIGNED_IDS: tuple[SessionIds, ...] = ("signed", "external-signed")
EXTERNAL_IDS: tuple[SessionIds, ...] = ("external", "external-signed")
"""Another program creates these. Only an embedded server takes unsigned ones."""
OAuthProvider = Literal["github", "custom"]
TokenPayload = Literal["auto", "always", "never"]
PageParts = Literal["needed", "all"]
Isolation = Literal["none", "process", "snapshot"]
ISOLATIONS: tuple[Isolation, ...] = ("none", "process", "snapshot")
Restore = Literal["inputs", "values", "off"]
RESTORES: tuple[Restore, ...] = ("inputs", "values", "off")
Tasks = Literal["one", "every"]
Otel = Literal["off", "traces", "metrics", "both"]
LogLevel = Literal["trace", "debug", "info", "warning", "error", "critical"]
