"""What a server says of itself: metrics, and lines in the log."""
