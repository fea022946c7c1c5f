"""What `app-server load` consists of."""
