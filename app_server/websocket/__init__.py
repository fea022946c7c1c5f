"""The sockets of clients after their handshake."""
