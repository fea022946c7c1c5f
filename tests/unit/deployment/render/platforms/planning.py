"""Plans for platforms, and the server's settings by the words that are generated for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app_server.cli.parser import parse
from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.plan.values import Plan
from app_server.settings import Settings, all_settings, resolve_settings
from tests.unit.deployment.making import loaded

TEXT = (
    "name: tools\napps: {dashboard: {path: dashboard.py, args: [x, '$HOME']}}\n"
    "public: {hosts: tools.example.org, scheme: https}\n"
    "sessions: {max_sessions: 50, store: 'redis://redis.example.org'}\n"
    "secrets: {secret_key: {file: /etc/tools/secret}}\nservice: {environment: {REGION: north}}\n"
)


def planned(folder: Path, text: str = TEXT) -> Plan:
    """The plan of this deploy.yaml for a platform."""
    return resolve_plan(loaded(folder, text), layout="platform", regenerate=("app-server", "config"))


def served(words: Sequence[str], environ: dict[str, str] | None = None) -> tuple[list[str], Settings]:
    """The files and the settings of `app-server serve` with these words."""
    typed = vars(parse(["serve", *words], {}))
    flags = {setting.name: typed[setting.name] for setting in all_settings() if setting.name in typed}
    return typed["files"], resolve_settings(flags, environ or {}, on_platform=True)
