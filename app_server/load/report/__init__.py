"""What a load test has found, as text, as JSON and as a picture."""
