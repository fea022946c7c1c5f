"""Tokens, origins, and what an application may see of a request. Pure checks, no I/O."""
