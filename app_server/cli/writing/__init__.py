"""Commands that write an application to a file."""
