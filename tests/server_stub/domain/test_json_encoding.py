import json

from server_stub.domain.json_encoding import encode


def test_json_is_compact_utf8() -> None:
    assert encode({"a": ["ü", None]}) == '{"a":["ü",null]}'.encode()


def test_a_lone_surrogate_is_escaped() -> None:
    encoded = encode("\ud83d!")
    assert encoded == b'"\\ud83d!"'
    assert json.loads(encoded) == "\ud83d!"
