"""Processes that look like those of other operating systems."""
