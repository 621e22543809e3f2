"""One file a server family: its routes and the translation into `tui.core`, nothing else."""

FAMILIES = ("opencode", "mimocode", "qwen")
"""What a person may name instead of having it found out."""

TOKEN = ""
"""Instead of a user: the password is a bearer token."""

USERS = ("opencode", "mimocode", TOKEN)
"""The user names of Basic auth, by family. Which one a server wants shows only by trying."""
