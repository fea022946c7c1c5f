"""What request handlers know about their server: its policy, its process, its pages."""
