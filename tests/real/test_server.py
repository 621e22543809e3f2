"""The harness with the server itself, without the client."""

import httpx
import pytest

from tests.real.scripted_model import QUESTIONS
from tests.real.server import RealServer
from tests.waiting import block_until

pytestmark = pytest.mark.real


def post_prompt(http: httpx.Client, session: str, text: str) -> None:
    response = http.post(f"/session/{session}/prompt_async", json={"parts": [{"type": "text", "text": text}]})
    assert response.status_code == httpx.codes.NO_CONTENT


def test_a_killed_server_forgets_the_scripted_models_question(
    opencode_alone: RealServer,
) -> None:
    with httpx.Client(base_url=opencode_alone.address, timeout=10, trust_env=False) as http:
        session = http.post("/session", json={}).json()["id"]
        post_prompt(http, session, "ASK")
        block_until(lambda: http.get("/question").json(), within=20, what="the question")
        [request] = http.get("/question").json()
        assert [question["question"] for question in request["questions"]] == [
            question["question"] for question in QUESTIONS
        ]
        assert [asked.prompt for asked in opencode_alone.model_log()] == ["ASK"]

        opencode_alone.kill()
        with pytest.raises(httpx.TransportError):
            http.get("/global/health")
        opencode_alone.restart()
        assert http.get("/question").json() == []
        assert http.get(f"/session/{session}").json()["id"] == session
