"""Requests for applications: which session, which process, and the answer."""
