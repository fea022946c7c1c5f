"""A document that outlives its session: encoded to be kept, and laid over the same application's new document."""
