"""Backends that say who sends a request, and their pages."""
