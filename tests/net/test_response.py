"""Unexpected responses, and their error messages."""

import pytest

from tests.net.bytes_server import Server, answer, client, read
from tui.net.credentials import BasicAuth
from tui.net.errors import HttpStatusError, ProtocolError
from tui.net.http_client import Http


async def test_an_echoed_password_is_not_quoted(server: Server) -> None:
    secret = BasicAuth("opencode", "hunter2")
    echo = f"{secret.header()} hunter2"
    server.respond(answer(echo.encode(), f"500 {echo}", f"location: /{echo}"))
    async with client(server, credentials=secret) as http:
        with pytest.raises(HttpStatusError) as caught:
            await http.call("GET", "/x")
    message = f"{caught.value} {caught.value.message} {caught.value.excerpt} {caught.value.hint}"
    assert "[password]" in message
    assert not any(one in message for one in secret.secrets())


RESTART = "Set HOLDFAST_PASSWORD, or password in settings.toml, then restart Holdfast."


class TestRefused:
    async def test_the_servers_message(self, server: Server, http: Http) -> None:
        server.respond(answer(b'{"name":"NotFoundError","data":{"message":"no \\u001b[2Jsession"}}', "404 Not Found"))
        with pytest.raises(HttpStatusError) as caught:
            await http.call("GET", "/session/x")
        error = caught.value
        assert (error.status, error.excerpt, error.permanent) == (404, "no session", True)
        assert error.value == {"name": "NotFoundError", "data": {"message": "no session"}}

    async def test_an_empty_401(self, server: Server, http: Http) -> None:
        server.respond(answer(b"", "401 Unauthorized", 'www-authenticate: Basic realm="Secure Area"'))
        with pytest.raises(HttpStatusError, match=r"^a password is required \(401\)$") as caught:
            await http.call("GET", "/x")
        assert caught.value.hint == RESTART

    async def test_a_401_for_a_password_that_was_sent(self, server: Server) -> None:
        server.respond(answer(b"", "401 Unauthorized"))
        async with client(server, credentials=BasicAuth("opencode", "hunter2")) as http:
            with pytest.raises(HttpStatusError, match=r"^password refused \(401\)$") as caught:
                await http.call("GET", "/x")
        assert caught.value.hint == RESTART

    async def test_a_page_of_html(self, server: Server, http: Http) -> None:
        server.respond(answer(b"<html>bad gateway", "502 Bad Gateway", kind="text/html"))
        with pytest.raises(HttpStatusError, match=r"^server error \(502 Bad Gateway\)$") as caught:
            await http.call("GET", "/x")
        assert caught.value.value is None
        assert not caught.value.permanent

    async def test_a_cookie_is_not_sent_back(self, server: Server, http: Http) -> None:
        """No part of one response is sent with the next request."""
        server.respond(answer(b"true", "200 OK", "set-cookie: who=me; Path=/"))
        await http.call("GET", "/a")
        await http.call("GET", "/b")
        assert len(server.requests) == 2
        assert not any(b"cookie" in request.lower() for request in server.requests)

    async def test_a_redirect_is_not_followed(self, server: Server) -> None:
        server.respond(answer(b"", "301 Moved", "location: https://me:hunter3@there.example/login?token=hunter4#x"))
        async with client(server, credentials=BasicAuth("opencode", "hunter2")) as http:
            with pytest.raises(HttpStatusError, match=r"^the server redirects to https://there.example/login \(301\)$"):
                await http.call("GET", "/x")
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        "location", ["http://me:hunter3@there:hunter4/", "http://[::1?hunter4", "http://there/" + "x" * 70_000]
    )
    async def test_a_redirect_to_an_invalid_address_is_not_quoted(
        self, server: Server, http: Http, location: str
    ) -> None:
        server.respond(answer(b"", "302 Found", f"location: {location}"))
        with pytest.raises(ProtocolError, match=r"^not valid HTTP: it redirects to an invalid address$"):
            await http.call("GET", "/x")

    async def test_retry_after(self, server: Server, http: Http) -> None:
        server.respond(answer(b"slow down", "429 Too Many Requests", "retry-after: 7", kind="text/plain"))
        with pytest.raises(HttpStatusError) as caught:
            await http.call("POST", "/x")
        assert (caught.value.retry_after, caught.value.excerpt, caught.value.permanent) == (7.0, "slow down", False)

    async def test_an_error_body_that_never_ends(
        self, server: Server, http: Http, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tui.net.response.QUOTED_SECONDS", 0.1)
        monkeypatch.setattr("tui.net.http_client.QUOTED_SECONDS", 0.1)
        server.respond(server.sending(b"HTTP/1.1 500 No\r\ncontent-length: 99\r\n\r\nhalf a wo", hold=True))
        with pytest.raises(HttpStatusError, match="half a wo"):
            await http.call("POST", "/x")

    async def test_a_huge_error_body(self, server: Server, http: Http) -> None:
        server.respond(
            server.sending(b"HTTP/1.1 500 No\r\ncontent-length: 99999999\r\n\r\n", *[b"x" * 30_000] * 9, hold=True)
        )
        with pytest.raises(HttpStatusError, match="xxx…"):
            await http.call("POST", "/x")

    async def test_an_error_status_of_a_stream(self, server: Server, http: Http) -> None:
        server.respond(answer(b"", "401 Unauthorized"))
        with pytest.raises(HttpStatusError, match="a password is required"):
            await read(http)
