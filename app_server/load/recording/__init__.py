"""What someone did in a page, written down in one session and played in others."""
