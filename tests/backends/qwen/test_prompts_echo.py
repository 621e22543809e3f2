"""A prompt whose 202 was lost, found by the server's echo."""

import pytest

from tui.backends.qwen.echoes import Echo
from tui.backends.qwen.followed_session import FollowedSession
from tui.backends.qwen.prompts import EchoPosition, find_prompt
from tui.backends.qwen.session_reducer import SessionReducer
from tui.core.model import Prompt

MINE = frozenset({"client_1"})


def session(*echoes: Echo, epoch: str = "e1") -> FollowedSession:
    reducer = SessionReducer("s1")
    reducer.echoes.extend(echoes)
    return FollowedSession(reducer, epoch)


def echo(prompt_id: str, number: int, *, text: str = "do it", author: str = "client_1") -> Echo:
    return Echo(prompt_id, text, author, number)


def prompt(after: str = "e1 5 p0", text: str = "do it") -> Prompt:
    return Prompt("s1", text, "ours", "", resume_cursor=after)


def found(now: FollowedSession, sought: Prompt, *, claimed: frozenset[str] = frozenset()) -> str | None:
    return find_prompt(sought, now, mine=MINE, claimed=claimed)


def test_a_position_can_be_parsed() -> None:
    reducer = SessionReducer("s1")
    reducer.cursor = 7
    reducer.echoes.append(echo("p3", 6))
    place = EchoPosition.of(FollowedSession(reducer, "e1"))
    assert EchoPosition.parse(str(place)) == place == EchoPosition("e1", 7, "p3")
    assert EchoPosition.parse(str(EchoPosition.of(FollowedSession(SessionReducer("s1"), "e1")))) == EchoPosition(
        "e1", 0, ""
    )


@pytest.mark.parametrize("text", ["", "e1", "e1 x p"])
def test_an_invalid_position(text: str) -> None:
    assert EchoPosition.parse(text) is None


@pytest.mark.parametrize(
    ("one", "is_ours"),
    [
        (echo("p1", 6), True),
        (echo("p1", 5), False),
        (echo("p1", 6, author="another"), False),
        (echo("p1", 6, author=""), False),
        (echo("p1", 6, text="do that"), False),
        (echo("p1", 6, text=" do it\n"), True),
    ],
)
def test_text_author_and_position_must_match(one: Echo, is_ours: bool) -> None:
    assert found(session(one), prompt()) == ("p1" if is_ours else None)


def test_the_first_unclaimed_match() -> None:
    now = session(echo("p1", 6), echo("p2", 7))
    assert found(now, prompt()) == "p1"
    assert found(now, prompt(), claimed=frozenset({"p1"})) == "p2"


def test_a_restart_loses_authors_and_ids_but_not_the_order() -> None:
    before, after = echo("p0", 1, author=""), echo("p1", 2, author="")
    assert found(session(before, after, epoch="e2"), prompt()) == "p1"
    assert found(session(before, epoch="e2"), prompt()) is None


def test_without_a_position_only_the_author_matches() -> None:
    assert found(session(echo("p1", 1, author="")), prompt(after="")) is None
    assert found(session(echo("p1", 1)), prompt(after="")) == "p1"
