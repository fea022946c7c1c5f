"""Files of container engines and clusters."""
