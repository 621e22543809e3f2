"""How values become bytes: compact JSON in UTF-8, as JavaScript writes it."""

import json
from typing import Any

from starlette.responses import Response


def encode(value: object) -> bytes:
    """A lone surrogate, half of an emoji cut in two, is written as its escape."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", errors="backslashreplace")


class JsonResponse(Response):
    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return encode(content)
