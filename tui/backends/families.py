"""The supported server families, one row each: names, environment variables, how each is recognised, its class."""

import msgspec


class Family(msgspec.Struct, frozen=True):
    """A server family, as a row of `FAMILIES`."""

    name: str
    """For `--family`, and in `Traits.family`."""
    label: str
    """Its name for people."""
    backend: str
    """Its implementation of `backends.base.Backend`, as `module:class`; imported when needed, since httpx is slow."""
    user: str
    """The default user name of Basic auth; `TOKEN` if the password is a bearer token."""
    password_variable: str
    """The environment variable with the server's own password..."""
    user_variable: str = ""
    """...and with its user name, if it can be changed."""
    recognised_by: tuple[str, str] = ("", "")
    """A path and a field of its response that no other family returns."""
    fork_of: str = ""
    """For a fork, which answers `recognised_by` as its original does: the name of that one..."""
    folder: str = ""
    """...and the name of the server's own folders, by which it is distinguished."""


TOKEN = ""
"""In place of a user name: the password is a bearer token."""

FAMILIES = (
    Family(
        "opencode",
        label="opencode",
        backend="tui.backends.opencode.backend:OpenCode",
        user="opencode",
        password_variable="OPENCODE_SERVER_PASSWORD",
        user_variable="OPENCODE_SERVER_USERNAME",
        recognised_by=("/global/health", "healthy"),
    ),
    Family(
        "mimo",
        label="MiMo Code",
        backend="tui.backends.opencode.mimo:MimoCode",
        user="mimocode",
        password_variable="MIMOCODE_SERVER_PASSWORD",
        user_variable="MIMOCODE_SERVER_USERNAME",
        fork_of="opencode",
        folder="mimocode",
    ),
    Family(
        "qwen",
        label="qwen serve",
        backend="tui.backends.qwen.backend:QwenServe",
        user=TOKEN,
        password_variable="QWEN_SERVER_TOKEN",
        recognised_by=("/capabilities", "qwenCodeVersion"),
    ),
)
"""The families, in the order in which a server is asked for them."""

USERS = tuple(family.user for family in FAMILIES)
"""Which user name a server accepts is found by trying."""

SERVE_COMMAND = "opencode serve"
"""The command to start a server, for users without one."""

NAMES = {family.name: family.label for family in FAMILIES}
"""The names for people, by `Traits.family`."""
