"""Opens HTTP clients by the settings: the address, the credentials of each user to try, the CA."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tui.backends.families import TOKEN, USERS
from tui.config.settings import Settings, SettingsError
from tui.net.credentials import BasicAuth, BearerAuth, Credentials, is_token
from tui.net.errors import CertificateError
from tui.net.url import BadAddress, is_loopback

if TYPE_CHECKING:
    from tui.net.http_client import Http


def open_transport(settings: Settings) -> "tuple[Callable[[str], Http], Sequence[str]]":
    """The factory of HTTP clients, and the users to try. Raises `SettingsError` for an invalid proxy or CA."""

    def open_http(user: str) -> "Http":
        from tui.net.http_client import Http  # httpx is slow to import too: after the first paint

        return Http(settings.url, credentials=credentials(user, settings.password), ca_file=settings.ca_file)

    if settings.ca_file is not None or not is_loopback(settings.url):
        try:
            open_http("")  # report an invalid proxy or CA at once
        except (BadAddress, CertificateError) as error:
            raise SettingsError(str(error)) from error
    if settings.user is not None:
        return open_http, (settings.user,)
    known = (settings.server_user, *USERS) if settings.server_user is not None else USERS
    return open_http, known if settings.password is not None else known[:1]


def credentials(user: str, password: str | None) -> Credentials | None:
    """The credentials for `user`: Bearer for the token user with a valid token, else Basic; None without a password."""
    if password is None:
        return None
    if user == TOKEN and is_token(password):
        return BearerAuth(password)
    return BasicAuth(user, password)
