"""Checks of the project's own rules, which ruff, mypy and import-linter do not know.

python -m tools.house              fails on what pyproject.toml, [tool.app-server.house], does not allow
python -m tools.house --figures    prints the figures as well
"""
