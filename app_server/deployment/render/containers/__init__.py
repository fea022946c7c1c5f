"""Files of container engines."""
