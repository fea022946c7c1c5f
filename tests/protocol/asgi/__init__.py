"""The ASGI application, by real servers and in real frameworks."""
