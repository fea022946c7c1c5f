"""The settings of a server: the table, the parsers, the sources, and contradictions.

A value is looked up in this order: flag, environment, the file of `--use-config` or else pyproject.toml, default.
Every source gives text, the same parser reads it, and an error names the flag, the variable or the line of the file.
"""

from __future__ import annotations

from app_server.settings.bokeh import OWN_KEYS as BOKEH_OWN_KEYS
from app_server.settings.bokeh import without_effect
from app_server.settings.contradictions import WAYS_TO_LOG_IN
from app_server.settings.files.config import bokeh_environment, from_config
from app_server.settings.files.nearest import nearest
from app_server.settings.files.pyproject import apps_of, is_toml
from app_server.settings.files.variables import added, export, read_variables
from app_server.settings.platform import used_or_not
from app_server.settings.readable import closed_folder
from app_server.settings.reading import FILE_ENDING, Given
from app_server.settings.setting import GROUPS, Arity, Setting
from app_server.settings.sources import (
    choose,
    from_environment,
    from_flags,
    naming_env_file,
    resolve_settings,
    resolve_some,
    variables_of,
    with_files,
    with_project,
    with_signing_key,
)
from app_server.settings.table import Settings, all_settings
from app_server.settings.values import (
    EXTERNAL_IDS,
    ISOLATIONS,
    RESTORES,
    SIGNED_IDS,
    Isolation,
    LogLevel,
    Restore,
    SessionIds,
    TokenPayload,
)

__all__ = [
    "BOKEH_OWN_KEYS",
    "EXTERNAL_IDS",
    "FILE_ENDING",
    "GROUPS",
    "ISOLATIONS",
    "RESTORES",
    "SIGNED_IDS",
    "WAYS_TO_LOG_IN",
    "Arity",
    "Given",
    "Isolation",
    "LogLevel",
    "Restore",
    "SessionIds",
    "Setting",
    "Settings",
    "TokenPayload",
    "added",
    "all_settings",
    "apps_of",
    "bokeh_environment",
    "choose",
    "closed_folder",
    "export",
    "from_config",
    "from_environment",
    "from_flags",
    "is_toml",
    "naming_env_file",
    "nearest",
    "read_variables",
    "resolve_settings",
    "resolve_some",
    "used_or_not",
    "variables_of",
    "with_files",
    "with_project",
    "with_signing_key",
    "without_effect",
]
