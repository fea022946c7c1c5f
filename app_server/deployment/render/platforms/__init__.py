"""Files for platforms that start containers or processes themselves, choose the port, and take care of TLS."""
