"""Commands that serve applications and look after servers."""
