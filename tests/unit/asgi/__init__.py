"""Tests of the ASGI application: scopes and events in this process, without sockets."""
