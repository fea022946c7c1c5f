"""Checks of what proxies read."""
