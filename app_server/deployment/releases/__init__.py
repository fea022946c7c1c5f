"""Releases: archives that hosts unpack."""
