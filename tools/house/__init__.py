"""What keeps the code as the project wants it, where ruff, mypy and import-linter do not look.

python -m tools.house              fails on what pyproject.toml, [tool.app-server.house], does not allow
python -m tools.house --figures    prints the figures as well
"""
