"""Secrets appear in their header only."""

from base64 import b64encode

import pytest

from tui.net.credentials import BasicAuth, BearerAuth, redact


def test_basic() -> None:
    auth = BasicAuth("opencode", "pässwörd:1")
    assert auth.header() == "Basic b3BlbmNvZGU6cMOkc3N3w7ZyZDox"
    assert repr(auth) == "BasicAuth(user='opencode')"


def test_non_utf8_bytes_of_the_environment_are_sent_unchanged() -> None:
    password = b"p\xe4ss".decode("utf-8", "surrogateescape")  # as os.environ has it
    assert BasicAuth("me", password).header() == "Basic " + b64encode(b"me:p\xe4ss").decode()


@pytest.mark.parametrize(("user", "password"), [("me", "cret\ud800"), ("cret\ud800", "x")])
def test_unencodable_text_is_not_quoted(user: str, password: str) -> None:
    with pytest.raises(
        ValueError, match=r"^The user or the password holds characters that cannot be sent\.$"
    ) as caught:
        BasicAuth(user, password)
    assert "cret" not in str(caught.value)


def test_secrets_of_four_characters_and_more_are_hidden() -> None:
    assert redact("echo 1234 of ab", ["1234", "ab"]) == "echo [password] of ab"


def test_bearer() -> None:
    auth = BearerAuth("abc.def-1")
    assert auth.header() == "Bearer abc.def-1"
    assert repr(auth) == "BearerAuth()"


@pytest.mark.parametrize("token", ["", "a b", "secret\n", "sécret", "secret\x00"])
def test_an_invalid_token_is_not_quoted(token: str) -> None:
    with pytest.raises(ValueError, match=r"^The token holds characters that a token cannot have\.$") as caught:
        BearerAuth(token)
    assert "cret" not in str(caught.value)
