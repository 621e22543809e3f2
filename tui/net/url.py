"""URLs: addresses as users type them, and ids as parts of a path.

No address contains a password, which would end up in logs, in `ps` and in the shell's history.
"""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOST: Final = re.compile(r"[\w-]+(\.[\w-]+)*\.?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")


class BadAddress(ValueError):
    """An invalid address, with a message for the user."""


def normalise_url(text: str) -> str:
    """`text` as a full URL without a trailing slash.

    `host:port` without a scheme is accepted for this machine (as `http://`). Raises BadAddress, which quotes neither a
    user nor a query.
    """
    text = text.strip()
    if not text:
        raise BadAddress("The address is empty.")
    if not text.isprintable() or any(character in text for character in " \\"):
        raise BadAddress("The address contains invalid characters.")
    named_scheme = _SCHEME.match(text) is not None
    try:
        parts = urlsplit(text if named_scheme else f"http://{text}")
    except ValueError:
        raise BadAddress("The address cannot be read.") from None
    if "@" in parts.netloc:
        raise BadAddress("Leave user and password out of the address; set HOLDFAST_PASSWORD instead.")
    if parts.scheme not in ("http", "https"):
        raise BadAddress(f"{parts.scheme}:// is an unsupported scheme: use http:// or https://.")
    shown = re.split(r"[?#]", text, maxsplit=1)[0].rpartition("@")[2]  # a query may hold a secret
    host = parts.hostname or ""
    if _HOST.fullmatch(host) is None:
        raise BadAddress(f"{shown or 'It'} names no host: write it like http://127.0.0.1:4096.")
    try:
        port = parts.port
    except ValueError:
        raise BadAddress(f"{shown}: the port must be a number up to 65535.") from None
    if parts.query or parts.fragment:
        raise BadAddress(f"{shown}: leave out what follows ? or #.")
    if not named_scheme and not _is_this_machine(host):
        raise BadAddress(f"Write http:// or https:// before {shown}.")
    shown_host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown_host}{'' if port is None else f':{port}'}{parts.path.rstrip('/')}"


def is_loopback(url: str) -> bool:
    """Whether a URL is on this machine."""
    return _is_this_machine(urlsplit(url).hostname or "")


def is_exposed(url: str, has_password: bool) -> bool:
    """Whether a password would cross a network unencrypted: the caller asks the user first."""
    return has_password and urlsplit(url).scheme != "https" and not is_loopback(url)


def without_secrets(url: str) -> str:
    """`url` for display, without user, password, query and fragment; "" if it is invalid."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def path_segment(name: str) -> str:
    """`name` as one segment of a path, whatever it contains.

    A server's ids are untrusted text: `..` must not change the path. Percent-encoding does not help (`%2E` is a dot to
    URL parsers), so such a name is encoded twice, which no server knows.
    """
    if not name.strip("."):
        return "%252E" * len(name) or "%25"
    return quote(name, safe="", errors="replace")


def _is_this_machine(host: str) -> bool:
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified  # 0.0.0.0 is what servers print, and connects here
