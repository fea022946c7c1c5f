"""What an HTTP request meets before it is known which application it is for."""
