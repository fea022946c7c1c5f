"""What the hooks of this application have seen, for its page to show."""

entries: list[str] = []


def note(event: str) -> None:
    """Keep `event` for the page and print it for the operator."""
    entries.append(event)
    print(f"lifecycle: {event}", flush=True)
