"""Addresses as users type them; ids as path segments."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.net.url import BadAddress, is_exposed, is_loopback, normalise_url, path_segment


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("127.0.0.1:4096", "http://127.0.0.1:4096"),
        ("localhost", "http://localhost"),
        (" localhost:4096/ ", "http://localhost:4096"),
        ("[::1]:4096", "http://[::1]:4096"),
        ("0.0.0.0:4096", "http://0.0.0.0:4096"),
        ("HTTP://LocalHost:4096", "http://localhost:4096"),
        ("https://build.example", "https://build.example"),
        ("https://build.example:8443/agent/", "https://build.example:8443/agent"),
        ("http://build.example", "http://build.example"),
        ("http://bücher.example", "http://bücher.example"),
        ("http://my_host:1", "http://my_host:1"),
        ("localhost:4096/team@home", "http://localhost:4096/team@home"),
    ],
)
def test_accepted_addresses(typed: str, url: str) -> None:
    assert normalise_url(typed) == url
    assert normalise_url(url) == url


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "The address is empty."),
        ("build.example:4096", "Write http:// or https:// before build.example:4096."),
        ("ftp://localhost", "ftp:// is an unsupported scheme: use http:// or https://."),
        ("http://", "http:// names no host: write it like http://127.0.0.1:4096."),
        ("http:///path", "http:///path names no host: write it like http://127.0.0.1:4096."),
        ("http://-.-:x", "http://-.-:x: the port must be a number up to 65535."),
        ("localhost:99999", "localhost:99999: the port must be a number up to 65535."),
        ("localhost:port", "localhost:port: the port must be a number up to 65535."),
        ("http://a b", "The address contains invalid characters."),
        ("http://a\x1b[2J", "The address contains invalid characters."),
        ("http://a\u202eb", "The address contains invalid characters."),
        ("http://a\\b", "The address contains invalid characters."),
        ("http://local%host", "http://local%host names no host: write it like http://127.0.0.1:4096."),
        ("http://localhost?x=1", "http://localhost: leave out what follows ? or #."),
        ("http://localhost#x", "http://localhost: leave out what follows ? or #."),
        ("http://[::1", "The address cannot be read."),
        ("?x=1", "It names no host: write it like http://127.0.0.1:4096."),
        ("me:no@localhost", "Leave user and password out of the address; set HOLDFAST_PASSWORD instead."),
    ],
)
def test_refused_addresses_have_a_reason(typed: str, message: str) -> None:
    with pytest.raises(BadAddress) as refused:
        normalise_url(typed)
    assert str(refused.value) == message


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(BadAddress) as caught:
        normalise_url("http://opencode:hunter2@localhost:4096")
    assert "HOLDFAST_PASSWORD" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "typed",
    [
        "http://localhost?token=hunter2",
        "http://localhost:x?token=hunter2",
        "build.example?token=hunter2",
        "build.example#hunter2",
        "http://?token=hunter2",
        "?token=hunter2",
        "http:///x?token=hunter2#hunter2",
        "http:///me:hunter2@localhost",
        "ftp://localhost?token=hunter2",
        "http://[::1?token=hunter2",
        "http://local%host?token=hunter2",
        "http://a b?token=hunter2",
    ],
)
def test_a_query_is_refused_and_not_repeated(typed: str) -> None:
    with pytest.raises(BadAddress) as caught:
        normalise_url(typed)
    assert "hunter2" not in str(caught.value)


@given(st.text())
def test_anything_typed_is_an_address_or_refused(typed: str) -> None:
    try:
        url = normalise_url(typed)
    except BadAddress:
        return
    assert normalise_url(url) == url


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "api.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "0.0.0.0"]
)
def test_loopback_addresses(host: str) -> None:
    assert is_loopback(f"http://{host}:4096")
    assert not is_exposed(f"http://{host}:4096", has_password=True)


@pytest.mark.parametrize("host", ["localhost.example", "127.0.0.1.example", "10.0.0.1", "128.0.0.1", "[::2]", "127"])
def test_other_addresses(host: str) -> None:
    assert not is_loopback(f"http://{host}:4096")
    assert is_exposed(f"http://{host}:4096", has_password=True)
    assert not is_exposed(f"http://{host}:4096", has_password=False)
    assert not is_exposed(f"https://{host}:4096", has_password=True)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda name: name.strip(".")))
def test_an_id_is_one_segment(name: str) -> None:
    encoded = path_segment(name)
    assert unquote(encoded) == name
    assert encoded.isascii()
    assert not set(encoded) & set("/?#\\ ;")


@pytest.mark.parametrize("name", ["", ".", "..", "..."])
def test_an_id_cannot_traverse_the_path(name: str) -> None:
    once = unquote(path_segment(name))
    assert path_segment(name)
    assert once.strip(".")
    assert "/" not in once


@pytest.mark.parametrize("name", ["X", "X.", "ses_1"])
def test_letters_digits_and_dots_stay_as_they_are(name: str) -> None:
    assert path_segment(name) == name


def test_a_lone_surrogate_in_an_id_is_encoded() -> None:
    assert path_segment("ses_\ud83d") == "ses_%3F"
