"""What happened, in order."""

lines: list[str] = []
