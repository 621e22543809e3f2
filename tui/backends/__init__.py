"""One file a server family: its routes and the translation into `tui.core`, nothing else."""

from collections.abc import Mapping

FAMILIES = ("opencode", "mimo", "qwen")
"""What a person may name instead of having it found out."""

TOKEN = ""
"""Instead of a user: the password is a bearer token."""

PASSWORDS = ("OPENCODE_SERVER_PASSWORD", "MIMOCODE_SERVER_PASSWORD", "QWEN_SERVER_TOKEN")
"""Variables from which the families' servers take their own password."""

SERVER_USERS = ("OPENCODE_SERVER_USERNAME", "MIMOCODE_SERVER_USERNAME")
"""Variables from which they take the user name that goes with it."""

SERVE = "opencode serve"
"""What starts a server, for a person who has none yet."""

USERS = ("opencode", "mimocode", TOKEN)
"""The user names of Basic auth, by family. Which one a server wants shows only by trying."""
NAMES: Mapping[str, str] = {"opencode": "opencode", "mimo": "MiMo Code", "qwen": "qwen serve"}
"""What a person calls the family of `Traits.family`."""
