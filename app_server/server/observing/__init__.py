"""What a server reports about itself: metrics, and lines in the log."""
