"""THE CREW: the processes of one server, how they share its sessions, and who looks after them."""
