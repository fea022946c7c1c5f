"""The turns of sessions: when they are taken, and what is sent to whom."""
