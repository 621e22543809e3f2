"""A client of one session of the stub's qwen profile, without a network."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from server_stub.domain.profiles import QWEN

Json = dict[str, Any]

CLIENT_ID = "X-Qwen-Client-Id"
LOOKS = 500
"""Polls until a wait gives up; the scripted agent takes no time."""

ONCE: Json = {"outcome": "selected", "optionId": "proceed_once"}
CANCELLED: Json = {"outcome": "cancelled"}


on_qwen = pytest.mark.parametrize("profile", [QWEN], ids=["qwen"])
"""Runs a test with the qwen profile."""


def block(text: str) -> Json:
    return {"prompt": [{"type": "text", "text": text}]}


@dataclass(frozen=True, slots=True)
class QwenClient:
    http: httpx.AsyncClient
    session_id: str
    client_id: str

    @property
    def headers(self) -> dict[str, str]:
        return {CLIENT_ID: self.client_id}

    @property
    def base(self) -> str:
        return f"/session/{self.session_id}"

    async def post(self, path: str, body: Json | None = None) -> httpx.Response:
        return await self.http.post(f"{self.base}/{path}", json=body or {}, headers=self.headers)

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(f"{self.base}/{path}")

    async def delete(self, path: str = "") -> httpx.Response:
        return await self.http.delete(f"{self.base}/{path}".rstrip("/"), headers=self.headers)

    async def prompt(self, text: str) -> str:
        response = await self.post("prompt", block(text))
        assert response.status_code == 202
        prompt_id: str = response.json()["promptId"]
        return prompt_id

    async def load(self) -> Json:
        loaded: Json = (await self.post("load")).json()
        return loaded

    async def turn(self, prompt_id: str) -> Json:
        turn: Json = (await self.get(f"turns/{prompt_id}")).json()
        return turn

    async def events(self) -> list[Json]:
        """All events so far, as returned by `load`; detaches again."""
        loaded = await self.load()
        await self.post("detach")
        return [*loaded["compactedReplay"], *loaded["liveJournal"]]

    async def kinds(self) -> list[str]:
        return [kind_of(event) for event in await self.events()]

    async def until(self, kind: str, count: int = 1) -> Json:
        """Wait for the `count`th event of this type or update."""
        for _ in range(LOOKS):
            found = [event for event in await self.events() if kind in (event["type"], kind_of(event))]
            if len(found) >= count:
                return found[count - 1]
            await asyncio.sleep(0)
        raise AssertionError(f"no {kind} number {count} among {await self.kinds()}")

    async def run_prompt(self, text: str) -> Json:
        """Prompt, and wait for the end of the turn."""
        before = len([event for event in await self.events() if event["type"] == "turn_complete"])
        await self.prompt(text)
        return await self.until("turn_complete", before + 1)

    async def asked(self, count: int = 1) -> Json:
        data: Json = (await self.until("permission_request", count))["data"]
        return data

    async def vote(self, request_id: str, outcome: Json, **more: Any) -> httpx.Response:
        return await self.post(f"permission/{request_id}", {"outcome": outcome, **more})


async def new_client(http: httpx.AsyncClient, **body: Any) -> QwenClient:
    """A client of a new session."""
    made = (await http.post("/session", json={"sessionScope": "thread", **body})).json()
    return QwenClient(http, made["sessionId"], made["clientId"])


def kind_of(event: Json) -> str:
    """The event's type, or the kind of its update."""
    kind: str = event["type"]
    return str(event["data"]["update"]["sessionUpdate"]) if kind == "session_update" else kind


def updates(events: list[Json], kind: str) -> list[Json]:
    return [event["data"]["update"] for event in events if kind_of(event) == kind]
