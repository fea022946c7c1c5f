"""Checks of what starts and supervises the instances."""
