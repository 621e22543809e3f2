"""Prompts to the scripted agent, and its answers."""

import asyncio

from server_stub.domain.agent import Agent, Prompt
from server_stub.domain.state import Message, ServerState, Session
from tests.server_stub.conftest import HERE
from tests.waiting import wait_until


def text_prompt(text: str, message_id: str | None = None, part_id: str | None = None) -> Prompt:
    part = {"type": "text", "text": text} | ({"id": part_id} if part_id else {})
    return Prompt([part], message_id=message_id)


async def start_prompt(agent: Agent, session: Session, prompt: Prompt) -> "asyncio.Task[Message]":
    agent.accept(session, prompt)
    return asyncio.ensure_future(agent.answer(session))


async def start_waiting_turn(
    agent: Agent, server: ServerState, session: Session, text: str = "ASK1"
) -> "asyncio.Task[Message]":
    """Start a turn that waits for the user."""
    task = await start_prompt(agent, session, text_prompt(text))
    await wait_until(lambda: server.requests.questions(HERE))
    return task


def answers(session: Session) -> list[Message]:
    return [message for message in session.messages.values() if message.info["role"] == "assistant"]
