"""Sessions that outlive their processes: saved as they change, and restored where their next request arrives."""
