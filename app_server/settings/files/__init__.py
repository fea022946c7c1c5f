"""Files that settings and variables are read from, and where they are found."""
