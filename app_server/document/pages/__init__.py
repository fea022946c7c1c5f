"""Pages of documents, with a server and without."""
