"""Checks of what starts and looks after the instances."""
