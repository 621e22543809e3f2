"""The whole program from the user's side: the real command in a real terminal, with a server process."""
