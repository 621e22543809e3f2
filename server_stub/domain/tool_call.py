"""State machine of one tool part: pending, running, then completed or error."""

import asyncio
from types import TracebackType
from typing import Self

from server_stub.domain.json_encoding import Json, encode
from server_stub.domain.state import ServerState


class ToolCall:
    """A context manager around the work of the call: a cancellation marks the part as aborted."""

    def __init__(self, server: ServerState, message: Json, tool: str, tool_input: Json) -> None:
        """Add a pending part to the assistant message with the info `message`."""
        self._server = server
        self._input = tool_input
        self._started: int | None = None
        self._part: Json = {
            "id": server.ids.new("prt"),
            "messageID": message["id"],
            "sessionID": message["sessionID"],
            "type": "tool",
            "tool": tool,
            "callID": server.ids.new("prt").replace("prt_", "call_"),
        }
        self._put({"status": "pending", "input": {}, "raw": ""})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            self.failed("Tool execution aborted", {"interrupted": True})

    @property
    def is_over(self) -> bool:
        return self._part["state"]["status"] in ("completed", "error")

    @property
    def reference(self) -> Json:
        """The reference to this call in a question or permission."""
        return {"messageID": self._part["messageID"], "callID": self._part["callID"]}

    def running(self, metadata: Json | None = None) -> None:
        """Can be repeated with new metadata: that of a shell holds all output so far."""
        self._started = self._started or self._server.clock.now()
        more = {} if metadata is None else {"metadata": metadata}
        self._put({"status": "running", "input": self._input, **more, "time": {"start": self._started}})

    def completed(self, output: str, title: str, metadata: Json) -> None:
        metadata = {**metadata, "truncated": False}
        body = {"input": self._input, "output": output, "title": title, "metadata": metadata}
        self._measure("success", output)
        self._put({"status": "completed", **body, "time": self._time()})

    def failed(self, error: str, metadata: Json | None = None) -> None:
        more = {} if metadata is None else {"metadata": metadata}
        self._put({"status": "error", "input": self._input, "error": error, **more, "time": self._time()})
        if metadata is None:
            self._measure("error", "")

    def _measure(self, status: str, output: str) -> None:
        sizes = {"input_bytes": len(encode(self._input)), "output_bytes": len(output.encode())}
        which = {"tool_name": self._part["tool"], "tool_call_id": self._part["callID"]}
        session = self._server.session_or_deleted(self._part["sessionID"])
        self._server.measure(session, "tool_call", {**which, **sizes, "tool_call_status": status})

    def _time(self) -> Json:
        now = self._server.clock.now()
        return {"start": self._started or now, "end": now}

    def _put(self, state: Json) -> None:
        self._part = {**self._part, "state": state}
        self._server.put_part(self._part)
