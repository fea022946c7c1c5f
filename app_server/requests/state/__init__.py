"""What the handlers of requests know of their server: its policy, its process, its pages."""
