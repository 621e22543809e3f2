import json

from server_stub.domain.json_encoding import encode


def test_compact_and_in_utf8() -> None:
    assert encode({"a": ["ü", None]}) == '{"a":["ü",null]}'.encode()


def test_half_an_emoji_survives_as_its_escape() -> None:
    encoded = encode("\ud83d!")
    assert encoded == b'"\\ud83d!"'
    assert json.loads(encoded) == "\ud83d!"
