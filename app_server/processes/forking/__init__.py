"""Processes that are forked, and the processes that fork them: workers, fork servers, and sessions."""
