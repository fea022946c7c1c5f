"""THE LOCKS: tokens, origins, what of a request an application may see. Pure checks, no I/O."""
