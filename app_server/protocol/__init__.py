"""Frames to messages and back, without sockets, clocks or loops."""
