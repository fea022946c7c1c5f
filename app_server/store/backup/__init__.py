"""Copies of what is saved, in one archive: sessions, bookmarks and files, to be restored here or elsewhere."""
