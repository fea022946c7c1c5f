"""Beside two applications, and imported by both."""

COUNTS = {"imports": 0}


def counted():
    COUNTS["imports"] += 1
    return COUNTS["imports"]
