"""Files of service managers."""
