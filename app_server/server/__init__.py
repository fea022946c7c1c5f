"""THE WIRING: all of Tornado."""
