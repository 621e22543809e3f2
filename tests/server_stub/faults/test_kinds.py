import asyncio
from typing import Any, get_args

import pytest

from server_stub.faults.kinds import (
    CRASHED,
    KINDS,
    Armed,
    Break,
    Fault,
    FaultRefused,
    Faults,
    Flag,
    InsertAt,
    fault,
    parse,
)


@pytest.fixture
def flags() -> dict[Flag, bool]:
    return {}


@pytest.fixture
def faults(flags: dict[Flag, bool]) -> Faults:
    faults = Faults(flags.__setitem__)
    faults.connections = []
    faults.kill_agent = list
    return faults


# parsing


@pytest.mark.parametrize("name", [name for name in KINDS if name != "crash"])
def test_every_name_is_a_fault_without_options(name: str, faults: Faults) -> None:
    assert faults.arm(parse(name)).fault.name == name


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("cut", {"target": "events", "times": 1, "at": InsertAt.BODY}),
        ("cut=prompt", {"target": "prompt", "times": 1, "at": InsertAt.BODY}),
        ("reset=prompt,at=json,after_bytes=10", {"target": "prompt", "at": InsertAt.JSON, "after_bytes": 10}),
        ("stall=/global/event,after_seconds=0.5", {"target": "/global/event", "after_seconds": 0.5}),
        ("cut=at=padding", {"target": "events", "at": InsertAt.PADDING}),
        ("hang", {"target": "all", "times": 1, "at": InsertAt.REQUEST}),
        ("401", {"target": "all", "times": None}),
        ("401=events,times=3", {"target": "events", "times": 3}),
        ("502=all,times=always", {"target": "all", "times": None}),
        ("429=prompt,retry_after=7", {"target": "prompt", "times": 1, "retry_after": 7}),
        ("truncated", {"target": "prompt", "times": 1}),
        ("wedged", {"target": None, "times": None}),
        ("crash=prompt,at=padding", {"target": "prompt", "at": InsertAt.PADDING}),
    ],
)
def test_parse_reads_the_command_line_form(text: str, options: dict[str, Any]) -> None:
    parsed = parse(text)
    assert {option: getattr(parsed, option) for option in options} == options


def test_json_and_the_command_line_are_equivalent() -> None:
    options = {"target": "prompt", "times": 2, "at": "json", "after_bytes": 10}
    assert fault("cut", options) == parse("cut=prompt,times=2,at=json,after_bytes=10")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "unknown fault ''"),
        ("cutt", "unknown fault 'cutt'; known are cut, reset"),
        ("cut=unknown", "target is one of events, prompt, answer, all, or a path that begins with /, not 'unknown'"),
        ("cut=prompt,json", "'json' is not option=value"),
        ("cut=prompt,at=nowhere", "at is one of request, headers, body, padding, json, not 'nowhere'"),
        ("cut=prompt,times=2.5", "times is a whole number of at least 1, or always, not '2.5'"),
        ("cut=prompt,at=always", "`at` is one of"),
        ("cut=prompt,times=0", "times"),
        ("cut=prompt,times=x", "times"),
        ("cut=prompt,after_bytes=-1", "after_bytes"),
        ("cut=prompt,after_seconds=-1", "after_seconds"),
        ("cut=prompt,after_bytes=1,after_seconds=1", "not both"),
        ("cut=prompt,at=request,after_bytes=1", "none is sent at request"),
        ("cut=prompt,at=headers,after_bytes=1", "none is sent at headers"),
        ("cut=prompt,at=headers,after_seconds=1", "after_seconds counts from request or body"),
        ("cut=prompt,retry_after=1", "cut takes no retry_after"),
        ("cut=prompt,colour=red", "cut takes no colour; it takes target, times, at, after_bytes, after_seconds"),
        ("cut=prompt,name=reset", "cut takes no name"),
        ("cut=target=always", "cut needs a target"),
        ("401=all,at=json", "401 takes no at"),
        ("truncated=prompt,after_bytes=3", "truncated takes no after_bytes"),
        ("wedged=prompt", "wedged takes no target"),
        ("mute-events=times=2", "mute-events takes no times"),
        ("crash=after_seconds=2", "crash takes no after_seconds"),
    ],
)
def test_invalid_faults_are_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(FaultRefused) as refusal:
        parse(text)
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("target", "hits", "misses"),
    [
        ("events", ["GET /event", "GET /global/event", "GET /session/s/events"], ["GET /events", "POST /event"]),
        (
            "prompt",
            ["POST /session/s/message", "POST /session/s/prompt_async", "POST /session/s/prompt"],
            ["GET /session/s/message", "POST /session/s/message/m", "POST /session"],
        ),
        (
            "answer",
            [
                "POST /question/q/reply",
                "POST /question/q/reject",
                "POST /permission/p/reply",
                "POST /session/s/permissions/p",
                "POST /session/s/permission/p",
            ],
            ["GET /question", "GET /permission", "POST /session/s/message"],
        ),
        ("all", ["GET /", "POST /session/s/message"], []),
        ("/session", ["GET /session", "POST /session/s/abort"], ["GET /event", "GET /global/session"]),
    ],
)
def test_targets_match_requests(target: str, hits: list[str], misses: list[str]) -> None:
    cut = fault("cut", {"target": target})
    assert [hit for hit in hits if not cut.matches(*hit.split())] == []
    assert [miss for miss in misses if cut.matches(*miss.split())] == []


# armed faults


def test_strikes_are_counted_and_used_up(faults: Faults) -> None:
    armed = faults.arm(parse("cut=prompt,times=2"))
    assert [armed.use() for _ in range(3)] == [True, True, False]
    assert armed.times_applied == 2


def test_always_strikes_until_disarmed(faults: Faults) -> None:
    armed = faults.arm(parse("401"))
    assert all(armed.use() for _ in range(100))
    faults.disarm(armed.id)
    assert not armed.use()


def test_a_fault_stays_listed_until_it_is_disarmed(faults: Faults) -> None:
    cut, hang = faults.arm(parse("cut")), faults.arm(parse("hang"))
    cut.use()
    assert faults.armed() == [cut, hang]
    faults.disarm(cut.id)
    assert faults.armed() == [hang]
    assert (cut.disarmed.is_set(), hang.disarmed.is_set()) == (True, False)
    with pytest.raises(KeyError):
        faults.disarm(cut.id)
    faults.disarm_all()
    assert faults.armed() == []


def test_ids_are_not_reused(faults: Faults) -> None:
    first = faults.arm(parse("cut"))
    faults.disarm(first.id)
    assert faults.arm(parse("cut")).id != first.id


def test_the_list_shows_each_fault_and_its_strikes(faults: Faults) -> None:
    armed = faults.arm(parse("cut=prompt,at=json,after_bytes=3"))
    armed.use()
    assert armed.listed() == {
        "id": 1,
        "name": "cut",
        "target": "prompt",
        "times": 1,
        "at": "json",
        "after_bytes": 3,
        "after_seconds": None,
        "retry_after": None,
        "struck": 1,
    }


def test_watchers_are_called_for_faults_armed_meanwhile(faults: Faults) -> None:
    seen: list[Armed] = []
    faults.arm(parse("cut"))
    with faults.watched_by(seen.append):
        meanwhile = faults.arm(parse("hang"))
    faults.arm(parse("stall"))
    assert seen == [meanwhile]


def test_flags_are_set_while_any_fault_needs_them(faults: Faults, flags: dict[Flag, bool]) -> None:
    well: dict[Flag, bool] = dict.fromkeys(get_args(Flag), False)
    first, second = faults.arm(parse("wedged")), faults.arm(parse("wedged"))
    assert flags == {**well, "wedged": True}
    faults.disarm(first.id)
    assert flags == {**well, "wedged": True}
    faults.disarm(second.id)
    assert flags == well
    faults.arm(parse("mute-events"))
    assert flags == {**well, "mute-events": True}
    faults.arm(parse("torn-write"))
    assert flags == {**well, "mute-events": True, "torn-write": True}


def test_unsupported_flags_are_refused(faults: Faults) -> None:
    faults.supported_flags = ("mute-events", "wedged")
    with pytest.raises(FaultRefused, match="not possible with this profile"):
        faults.arm(parse("torn-write"))
    assert faults.armed() == []


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if isinstance(kind.act, Break)])
def test_breaking_a_connection_needs_connections(name: str, flags: dict[Flag, bool]) -> None:
    with pytest.raises(FaultRefused, match="listens on a socket"):
        Faults(flags.__setitem__).arm(parse(name))


def test_a_crash_needs_a_process(faults: Faults) -> None:
    with pytest.raises(FaultRefused, match="process of its own"):
        faults.arm(parse("crash"))


def test_a_crash_without_a_target_happens_at_once(faults: Faults) -> None:
    statuses: list[int] = []
    faults.exit = statuses.append
    faults.arm(parse("crash"))
    assert statuses == [CRASHED]


def test_a_crash_with_a_target_waits_for_it(faults: Faults) -> None:
    statuses: list[int] = []
    faults.exit = statuses.append
    faults.arm(parse("crash=prompt"))
    assert statuses == []


def test_agents_without_a_process_of_their_own_cannot_die(faults: Faults) -> None:
    faults.kill_agent = None
    with pytest.raises(FaultRefused, match="process of their own"):
        faults.arm(parse("agent-crash"))


def test_agents_die_at_once_and_once(faults: Faults) -> None:
    deaths: list[str] = []
    faults.kill_agent = lambda: deaths.append("died")
    armed = faults.arm(parse("agent-crash"))
    faults.disarm(armed.id)
    assert deaths == ["died"]


def test_the_transport_is_found_by_the_client_s_address(faults: Faults) -> None:
    class Peer:
        def __init__(self, port: int) -> None:
            self.transport = asyncio.Transport({"peername": ("127.0.0.1", port)})

    one, other = Peer(1), Peer(2)
    faults.connections = [one, other]
    assert faults.transport_of(("127.0.0.1", 2)) is other.transport
    assert faults.transport_of(("127.0.0.1", 3)) is None


def test_a_fault_is_a_value() -> None:
    assert isinstance(parse("cut"), Fault)
    assert parse("cut") == parse("cut=events,times=1,at=body")
