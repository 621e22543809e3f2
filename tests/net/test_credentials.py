"""Secrets are in their header and nowhere else."""

import pytest

from tui.net.credentials import BasicAuth, BearerAuth


def test_basic() -> None:
    auth = BasicAuth("opencode", "pässwörd:1")
    assert auth.header() == "Basic b3BlbmNvZGU6cMOkc3N3w7ZyZDox"
    assert repr(auth) == "BasicAuth(user='opencode')"


def test_bearer() -> None:
    auth = BearerAuth("abc.def-1")
    assert auth.header() == "Bearer abc.def-1"
    assert repr(auth) == "BearerAuth()"


@pytest.mark.parametrize("token", ["", "a b", "secret\n", "sécret", "secret\x00"])
def test_a_token_that_no_header_carries_is_not_quoted(token: str) -> None:
    with pytest.raises(ValueError, match="The token holds") as caught:
        BearerAuth(token)
    assert "cret" not in str(caught.value)
