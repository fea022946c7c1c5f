"""Documents and events as the protocol sends them, both ways."""
