"""What people do with widgets."""
