"""Connections to the host: requests and WebSockets, each within a time limit."""
