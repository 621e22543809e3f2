"""Encodes values as compact JSON in UTF-8, as JavaScript does."""

import json
from typing import Any

from starlette.responses import Response

Json = dict[str, Any]


def encode(value: object) -> bytes:
    """Lone surrogates (half of an emoji) are written as escapes."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", errors="backslashreplace")


class JsonResponse(Response):
    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return encode(content)
