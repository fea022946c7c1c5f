"""THE ENGINE: what a message or a callback does to a session, as a list of effects; no socket, no clock, no loop."""
