"""The office: one deployment file becomes the files that proxies, process managers and tunnels read, and is checked."""
