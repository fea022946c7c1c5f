"""Which session a request is for, and which process answers."""
