"""SSH tunnels to a server that cannot be reached directly: their commands, files, and a keeper that runs one."""
