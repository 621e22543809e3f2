"""Builds httpx requests."""

from collections.abc import Mapping
from json import dumps
from typing import TypeAlias

import httpx
import msgspec

from tui.net.errors import Unsendable
from tui.net.json_input import JSON
from tui.net.url import BadAddress

Params: TypeAlias = Mapping[str, str | int | bool | None]

SLOWEST_UPLINK = 1_000
"""Bytes a second at which the body of a request may leave: the system's buffers hide how far it is."""
MAX_UPLOAD_SECONDS = 120.0


class Request(msgspec.Struct, frozen=True):
    """One request. `path` may contain ids of the server; `name` is its name in errors."""

    method: str
    path: str
    params: Params | None
    json: JSON
    headers: Mapping[str, str] | None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def built_by(self, client: httpx.AsyncClient, limits: dict[str, float | None]) -> httpx.Request:
        """The httpx request. Raises Unsendable: an id of the server may be too long for a URL, or not ASCII."""
        if not self.path.startswith("/"):
            raise ValueError("a path must begin with /: a full URL would receive the password")
        headers = {"accept": "application/json", **(self.headers or {})}
        content = None
        if self.json is not None:
            headers["content-type"] = "application/json"
            content = dumps(self.json, separators=(",", ":")).encode()
        try:
            return client.build_request(
                self.method,
                self.path,
                params={key: value for key, value in (self.params or {}).items() if value is not None},
                content=content,
                headers=headers,
                extensions={"timeout": limits},
            )
        except httpx.InvalidURL as error:
            raise Unsendable("its address is too long") from error
        except UnicodeEncodeError as error:
            raise Unsendable("a header of it is not ASCII") from error


def upload_seconds(request: httpx.Request) -> float:
    """Seconds that the upload of the body may add on a slow connection."""
    return min(int(request.headers.get("content-length", 0)) / SLOWEST_UPLINK, MAX_UPLOAD_SECONDS)


def check_host(url: str) -> None:
    """Raises BadAddress for an international host name that cannot be decoded, as `xn--a`."""
    try:
        httpx.URL(url).host  # noqa: B018  # decoded when it is read
    except (httpx.InvalidURL, UnicodeError):
        raise BadAddress("The address names a host that is not a valid international name.") from None
