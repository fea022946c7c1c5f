"""Configuration of nginx and Apache."""
