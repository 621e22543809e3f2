"""One module or package per server family: its routes, and their translation into `tui.core`, nothing else."""

from collections.abc import Mapping

FAMILIES = ("opencode", "mimo", "qwen")
"""The families, for `--family`; by default they are auto-detected."""

TOKEN = ""
"""In place of a user name: the password is a bearer token."""

PASSWORDS = ("OPENCODE_SERVER_PASSWORD", "MIMOCODE_SERVER_PASSWORD", "QWEN_SERVER_TOKEN")
"""Environment variables with the servers' own passwords."""

SERVER_USERS = ("OPENCODE_SERVER_USERNAME", "MIMOCODE_SERVER_USERNAME")
"""Environment variables with their user names."""

SERVE = "opencode serve"
"""The command to start a server, for users without one."""

USERS = ("opencode", "mimocode", TOKEN)
"""The default user names of Basic auth. Which one a server accepts is found by trying."""
NAMES: Mapping[str, str] = {"opencode": "opencode", "mimo": "MiMo Code", "qwen": "qwen serve"}
"""Display names, by `Traits.family`."""
