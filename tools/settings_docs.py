"""Generate docs/settings.md from the table of settings; with --check, report whether it is up to date."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from app_server.settings import GROUPS, Arity, Setting, all_settings

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"

INTRODUCTION = """\
# Settings

<!-- Derived from app_server/settings/table.py by `make docs`; change it there. -->

The server looks up each setting of `app-server serve` in this order and uses the first value that it finds:

1. the flag on the command line;
2. the environment variable, if it is not empty; then `PORT` and `HOST`, as [hosting platforms](platforms.md) set them;
3. the YAML file that `--use-config FILE` names, with lines such as `keep_alive_ms: 20000`; without that flag, the table
   `[tool.app-server]` of the nearest `pyproject.toml` ([more](serving.md#environment-variables-and-files));
4. the default.

Variables that start with `BOKEH_` are those of the stock server, and so are the second names of keys in the file.
Booleans are `yes`, `true`, `on`, `1` or `no`, `false`, `off`, `0`; any other word is an error. A list is separated by
commas in a variable, and may be a YAML list in the file. Secrets have variables and keys, because the arguments of a
process are visible to other users. Each variable of a secret also exists with the ending `_FILE`: it names a file with
the secret.

The settings that bokeh itself reads (`BOKEH_RESOURCES`, `BOKEH_MINIFIED`, `BOKEH_LOG_LEVEL` for the browser's log, and
so on) work as under `bokeh serve`, and may be in the same file by their stock names (`minified: no`).
"""

PLATFORMS = "platforms.md#port-and-host"

PAGES = {"Saved sessions": "[Saved sessions](saved-sessions.md) explains what is saved, and what comes back."}
"""What is said about a whole group."""


def render(settings: Sequence[Setting]) -> str:
    """The page, as Markdown."""
    parts = [INTRODUCTION]
    for group in GROUPS:
        parts.append(f"## {group}\n")
        if group in PAGES:
            parts.append(f"{PAGES[group]}\n")
        parts += [_section(setting) for setting in settings if setting.group == group]
    return "\n".join(parts)


def _section(setting: Setting) -> str:
    lines = [f"### `{setting.name}`\n", f"{setting.help[0].upper()}{setting.help[1:]}.\n"]
    if setting.flag is not None:
        again = ", repeatable" if setting.arity is Arity.REPEATED else ""
        lines.append(f"- Flag: `{_spelled(setting)}`{again}")
    if setting.environment:
        lines.append(f"- Variable: {_code(setting.environment)}")
    if setting.platform:
        lines.append(f"- Variable of hosting platforms: `{setting.platform}`, [after the other ones]({PLATFORMS})")
    lines.append(f"- Key: {_code((setting.name, *setting.keys))}" if setting.name != "use_config" else "- Key: none")
    if setting.choices:
        lines.append(f"- One of: {_code(setting.choices)}")
    lines.append(f"- Default: {_default(setting)}; {setting.reason}.\n")
    return "\n".join(lines)


def _spelled(setting: Setting) -> str:
    more = {Arity.SOME: " ...", Arity.ANY: " ...", Arity.REST: " ..."}.get(setting.arity, "")
    return f"{setting.flag} {setting.metavar}{more}".rstrip()


def _code(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _default(setting: Setting) -> str:
    if setting.default is None or setting.default == () or setting.default == "":
        return "none"
    if isinstance(setting.default, bool):
        return "yes" if setting.default else "no"
    shown = f"{setting.default:g}" if isinstance(setting.default, float) else str(setting.default)
    return f"`{shown}`" + (f" {setting.unit}" if setting.unit else "")


def main(argv: Sequence[str]) -> int:
    """Write or check the page; return the exit status, 1 if --check finds a difference."""
    page = render(all_settings())
    if argv == ["--check"]:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page else 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
