"""JSON and events of the attacks: hostile texts and numbers in every field, and excessive amounts of them."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from tests.hostile import documents as d

JSON = Any
Document = Callable[[], bytes]

CONTROLS: Final = (
    "\x1b]52;c;cHduZWQ=\x07\x1b]0;pwned\x07\x1b[2J\x1b[H\x1b[?1049l\x9b2J\x9d0;pwned\x9c\x1b[6n\x1bP+q544e\x1b\\"
    "\x07\x08\x0e\x7f\x00\r\x0b\x0c\x85\u2028\u2029"
    "\u202e\u202d\u2066\u2067\u2068\u2069\u200e\u200f\u061c\ufeff\u200b"
    "\n\tbehind\t\nit [/] [bold red] [@click=app.bell]x[/] \ud83d \ufffe \U000e0041"
)
"""Control sequences, characters that reorder or break lines, and Textual's markup."""
ENTITIES: Final = (
    "&#x202e; &rlm; &lrm; &#x2028; &#27;[2J &#x1b;]52;c;cHduZWQ=&#7; &#155;2J &#x9b; &#8; &#9; &#10; &Tab; "
    "&NewLine; &#0; &#x7f; &#x2066; &ZeroWidthSpace; &shy;"
)
TEXTS: Final = {
    "title", "text", "content", "label", "header", "question", "description", "agent", "tool", "message",
    "permission", "patterns", "always", "filename", "url", "output", "error", "command", "filePath",
    "version", "name", "mode", "modelID", "providerID", "delta", "reason", "directory", "displayName",
    "priority",
}  # fmt: skip
"""Fields with text for users: others (ids, kinds, states) keep their values, so that the items are shown."""


def with_attack_text(value: JSON, attack_text: str = CONTROLS, key: str = "") -> JSON:
    """The value with `attack_text` appended to each text for users."""
    match value:
        case str():
            return value + attack_text if key in TEXTS else value
        case list():
            return [with_attack_text(item, attack_text, key) for item in value]
        case dict():
            return {name: with_attack_text(item, attack_text, name) for name, item in value.items()}
        case _:
            return value


def numbered(value: JSON, number: str) -> JSON:
    """The value with a placeholder of `number` in place of each number; `raw` writes it."""
    match value:
        case bool():
            return value
        case int() | float():
            return f"\x00{number}\x00"
        case list():
            return [numbered(item, number) for item in value]
        case dict():
            return {name: numbered(item, number) for name, item in value.items()}
        case _:
            return value


def one_by_one(value: dict[str, JSON], number: str) -> list[JSON]:
    """Copies of the value: all of its numbers replaced, and each of them alone."""
    paths = list(_numbers(value, ()))
    return [numbered(value, number), *(_replaced(value, path, f"\x00{number}\x00") for path in paths)]


def _numbers(value: JSON, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(item, int | float) and not isinstance(item, bool):
            yield (*path, key)
        else:
            yield from _numbers(item, (*path, key))


def _replaced(value: JSON, path: tuple[str | int, ...], item: JSON) -> JSON:
    if not path:
        return item
    if isinstance(value, list):
        return [_replaced(one, path[1:], item) if at == path[0] else one for at, one in enumerate(value)]
    return {name: _replaced(one, path[1:], item) if name == path[0] else one for name, one in value.items()}


def raw(value: JSON) -> bytes:
    """As JSON, with the numbers that `numbered` marked written literally."""
    return re.sub(rb'"\\u0000(.*?)\\u0000"', lambda found: json.loads(b'"' + found[1] + b'"').encode(), d.encode(value))


def raw_sse(*frames: JSON) -> bytes:
    return b"".join(b"data: " + raw(one) + b"\n\n" for one in frames)


def _named(value: dict[str, JSON], number: int, key: str = "id") -> dict[str, JSON]:
    return value | {key: f"{str(value[key])[:4]}{number:026d}"}


# Lists


def sessions(count: int) -> Document:
    return lambda: d.encode([d.session(number) for number in range(count)])


def children(count: int) -> Document:
    return lambda: d.encode([d.session(number, parentID=d.SESSION) for number in range(1, count)])


def permissions(count: int) -> Document:
    return lambda: d.encode([d.permission(number) for number in range(count)])


def questions(count: int) -> Document:
    return lambda: d.encode([d.question(number) for number in range(count)])


def statuses(count: int) -> Document:
    return lambda: d.encode({d.session(number)["id"]: {"type": "busy"} for number in range(count)})


BUSY: Final[Mapping[str, Document]] = {"statuses": lambda: d.encode({d.SESSION: {"type": "busy"}})}
"""A request counts only in a busy session."""


def messages(count: int) -> Document:
    def made() -> bytes:
        found = []
        for number in range(1, count // 2):
            asked = d.prompt(2 * number)
            head = {"id": f"msg_{2 * number + 1:026d}", "parentID": asked["info"]["id"]}
            part = d.text_part(f"answer {number}", number, str(head["id"]))
            time = {"created": d.AT + 2 * number + 1, "completed": d.AT + 2 * number + 1}
            found += [asked, d.answer([part], **head, time=time)]
        return d.encode(found)

    return made


def tool_parts(count: int) -> Document:
    return lambda: d.encode([d.prompt(), d.answer([d.tool_part(number) for number in range(count)])])


def text_parts(count: int) -> Document:
    return lambda: d.encode([d.prompt(), d.answer([d.text_part(f"part {number}", number) for number in range(count)])])


def todos(count: int) -> Document:
    return lambda: d.encode([{"content": f"entry {number}", "status": "pending"} for number in range(count)])


LINES: Final = "line\n" * 100_000
MEGABYTE: Final = "wide " * 200_000


def long_label() -> bytes:
    return d.encode([d.question(1, label=LINES), d.question(2, question=LINES, header=LINES)])


def many_options() -> bytes:
    return d.encode([d.question(1, options=[{"label": f"option {one}"} for one in range(100_000)])])


def many_questions() -> bytes:
    asked = d.question(1)
    return d.encode([asked | {"questions": asked["questions"] * 1000}])


def long_patterns() -> bytes:
    many = d.permission(1, patterns=[f"pattern {number}" for number in range(100_000)])
    wide = d.permission(2, patterns=[MEGABYTE, LINES], always=[MEGABYTE], metadata={"command": LINES})
    return d.encode([many, wide, d.permission(3, permission=MEGABYTE)])


def long_retry_message() -> bytes:
    return d.encode({d.SESSION: {"type": "retry", "attempt": 1, "message": LINES, "next": d.AT}})


def long_todos() -> bytes:
    return d.encode([{"content": LINES, "status": "in_progress"}, {"content": MEGABYTE, "status": MEGABYTE}])


def long_titles() -> bytes:
    return d.encode([d.session(title=MEGABYTE), *(d.session(one, title=MEGABYTE, agent=LINES) for one in (1, 2))])


def long_title() -> bytes:
    return d.encode(d.session(title=MEGABYTE, agent=LINES, directory=MEGABYTE))


def long_error() -> bytes:
    error = {"name": "APIError", "data": {"message": LINES, "statusCode": 500}}
    return d.encode([d.prompt(agent=MEGABYTE), d.answer(error=error, finish=None, agent=MEGABYTE, modelID=LINES)])


def long_names() -> bytes:
    parts = [
        d.tool_part(1, title=MEGABYTE, input={"filePath": MEGABYTE}),
        d.tool_part(2, status="error", error=LINES, title=LINES, input={"command": LINES}),
        d.tool_part(3) | {"tool": MEGABYTE},
        d.text_part("", 4) | {"type": "file", "filename": MEGABYTE, "mime": MEGABYTE, "url": MEGABYTE},
        d.text_part("", 5) | {"type": "patch", "files": [MEGABYTE]},
        d.text_part("", 6) | {"type": "subtask", "agent": MEGABYTE, "description": LINES},
    ]
    return d.encode([d.prompt(), d.answer(parts)])


def long_line() -> bytes:
    return d.encode([d.prompt(), d.answer([d.text_part("x" * 5_000_000)])])


def long_text() -> bytes:
    return d.encode([d.prompt(), d.answer([d.text_part("A line of words, as they come.\n" * 2_000_000)])])


def large_lists() -> dict[str, Document]:
    """Documents of 45 MB each, which a client that reconnects fetches at the same time."""
    text = "w" * 45_000_000
    return {
        "messages": lambda: d.encode([d.prompt(), d.answer([d.text_part(text)])]),
        "questions": lambda: d.encode([d.question(question=text)]),
        "permissions": lambda: d.encode([d.permission(metadata={"command": text})]),
        "statuses": lambda: d.encode({d.SESSION: {"type": "retry", "attempt": 1, "next": d.AT, "message": text}}),
        "todos": lambda: d.encode([{"content": text, "status": "pending"}]),
        "children": lambda: d.encode([d.session(title=text)]),
        "sessions": lambda: d.encode([d.session(title=text)]),
        "session": lambda: d.encode(d.session(title=text)),
    }


def deep_markdown() -> bytes:
    texts = [
        "> " * 10_000 + "deep",
        "".join("  " * one + "- item\n" for one in range(500)),
        "[" * 10_000 + "](" * 10_000,
        "*" * 20_000 + " a " + "_" * 20_000,
        "`" * 20_000 + "a" + "`" * 19_999,
        "| a " * 2_000 + "|\n" + "| - " * 2_000 + "|\n" + ("| b " * 2_000 + "|\n") * 20,
        "```" + "python" * 10_000 + "\n" + "f(" * 10_000,
        "<" * 10_000 + "a href=" * 10_000,
        "![a](" * 5_000 + "x" + ")" * 5_000,
    ]
    return d.encode([d.prompt(), d.answer([d.text_part(text, at) for at, text in enumerate(texts)])])


def markdown_entities() -> bytes:
    texts = [
        ENTITIES,
        f"# {ENTITIES}\n\n> {ENTITIES}\n\n- {ENTITIES}\n\n| {ENTITIES} |\n|---|\n| {ENTITIES} |\n",
        f"[{ENTITIES}](http://127.0.0.1/{ENTITIES.replace(' ', '')})\n\n![{ENTITIES}](x '{ENTITIES}')",
        f"```{ENTITIES}\n{ENTITIES}{CONTROLS}\n```\n\n    {CONTROLS}\n\n`{CONTROLS}`\n\n<b title='{ENTITIES}'>",
    ]
    return d.encode([d.prompt(), d.answer([d.text_part(text, at) for at, text in enumerate(texts)])])


def long_ids() -> bytes:
    name = "msg_" + "i" * 70_000
    part = d.text_part("a text", 1, name) | {"id": "prt_" + "p" * 70_000}
    return d.encode([d.prompt(id=name + "0"), d.answer([part], id=name, parentID=name + "0")])


def long_ids_of() -> bytes:
    long = d.session(1, id="ses_" + "s" * 70_000, directory="/srv/" + "d" * 70_000, parentID="ses_" + "p" * 70_000)
    return d.encode([d.session(), long])


def texts() -> Mapping[str, Document]:
    """Hostile texts in all fields of lists and transcripts."""
    parts = [
        d.text_part("a text"),
        d.text_part("thought", 1) | {"type": "reasoning"},
        d.tool_part(2),
        d.tool_part(3, status="error", error="failed"),
        d.tool_part(4) | {"tool": "bash"},
        d.text_part("", 5) | {"type": "file", "filename": "name", "mime": "text/plain", "url": "file:///x"},
        d.text_part("", 6) | {"type": "patch", "files": ["file" + CONTROLS]},
        d.text_part("", 7) | {"type": "subtask", "agent": "agent", "description": "what"},
    ]
    error = {"name": "APIError", "data": {"message": "failed", "statusCode": 500}}
    stored = [d.prompt(), d.answer(parts), d.prompt(2), d.answer(id="msg_3", parentID=d.prompt(2)["info"]["id"])]
    stored[3]["info"] |= {"error": error, "finish": None}
    plan = [{"content": "entry", "status": state, "priority": "high"} for state in ("pending", "odd" + CONTROLS)]
    retry = {"type": "retry", "attempt": 2, "message": "overloaded", "next": d.AT}
    return {
        "sessions": lambda: d.encode(with_attack_text([d.session(agent="build"), *map(d.session, range(1, 20))])),
        "session": lambda: d.encode(with_attack_text(d.session(agent="build"))),
        "children": lambda: d.encode(with_attack_text([d.session(30, parentID=d.SESSION)])),
        "messages": lambda: d.encode(with_attack_text(stored)),
        "todos": lambda: d.encode(with_attack_text(plan)),
        "statuses": lambda: d.encode(with_attack_text({d.SESSION: retry})),
    }


def request_texts() -> Mapping[str, Document]:
    return {
        "questions": lambda: d.encode(with_attack_text([d.question(1), d.question(2)])),
        "permissions": lambda: d.encode(with_attack_text([d.permission(1)])),
        "sessions": lambda: d.encode(with_attack_text([d.session()])),
        "session": lambda: d.encode(with_attack_text(d.session())),
        **BUSY,
    }


def numbers(number: str) -> Mapping[str, Document]:
    """`number` in place of every number of every list: all at once in one item, and one at a time in others."""
    asked = d.prompt()
    replied = d.answer(
        [d.text_part("a text"), d.tool_part(1)],
        error={"name": "APIError", "data": {"message": "failed", "statusCode": 500}},
    )

    def transcript() -> bytes:
        found = [_renamed(one, at) for at, one in enumerate(one_by_one(asked, number) + one_by_one(replied, number))]
        return raw([asked, d.answer(), *found])

    retry = {"type": "retry", "attempt": 2, "message": "overloaded", "next": d.AT}

    def states() -> bytes:
        return raw({d.session(at)["id"]: one for at, one in enumerate(one_by_one(retry, number))})

    return {
        "sessions": lambda: raw(
            [_named(one, at) if at else one for at, one in enumerate(one_by_one(d.session(), number))]
        ),
        "session": lambda: raw(numbered(d.session(), number)),
        "messages": transcript,
        "statuses": states,
        "todos": lambda: raw([numbered({"content": 1, "status": 1}, number), numbered(1, number)]),
        "questions": lambda: raw([numbered(d.question(1, multiple=1, custom=1), number)]),
        "permissions": lambda: raw([numbered(d.permission(1, metadata=1), number)]),
    }


def _renamed(message: dict[str, JSON], at: int) -> dict[str, JSON]:
    name = f"msg_{at + 100:026d}"
    parts = [one | {"id": f"prt_{at:013d}{row:013d}", "messageID": name} for row, one in enumerate(message["parts"])]
    return {"info": message["info"] | {"id": name}, "parts": parts}


# Answers to a prompt, and to the first question


def answer_numbers() -> bytes:
    return raw(numbered(d.answer([d.text_part("a text"), d.tool_part(1)]), "1e400"))


def answer_texts() -> bytes:
    return d.encode(with_attack_text(d.answer([d.text_part("a text"), d.tool_part(1)])))


def answer_parts() -> bytes:
    return d.encode(d.answer([d.tool_part(number) for number in range(50_000)]))


def answer_ids() -> bytes:
    return d.encode(d.answer(id="msg_" + "i" * 70_000, parentID="msg_" + "p" * 70_000))


def health_texts() -> Mapping[str, Document]:
    return {"health": lambda: d.encode({"healthy": True, "version": "1.18.33" + CONTROLS})}


def health_long() -> Mapping[str, Document]:
    return {"health": lambda: d.encode({"healthy": True, "version": LINES + MEGABYTE})}


# Events


def endless_line() -> Iterator[bytes]:
    yield b"data: "
    for _ in range(1024):
        yield b"x" * (1 << 20)


def endless_comment() -> Iterator[bytes]:
    yield b":"
    for _ in range(1024):
        yield b"x" * (1 << 20)


def endless_event() -> Iterator[bytes]:
    for _ in range(8192):
        yield (b"data: " + b"x" * 1000 + b"\n") * 128


def tiny_data_lines() -> Iterator[bytes]:
    for _ in range(1000):
        yield b"data:\n" * 10_000


def long_retry() -> Iterator[bytes]:
    yield b"retry: 99999999999\n\n" + d.sse(d.frame("server.heartbeat"))
    yield b"retry: " + b"9" * 10_000 + b"\n\n" + d.sse(d.frame("server.heartbeat"))
    yield "retry: ²\n\n".encode() + b"retry: -5\n\nretry: 1_000\n\nretry: 1e400\n\n"


def huge_id() -> Iterator[bytes]:
    yield b"id: " + b"i" * 10_000_000 + b"\nevent: " + b"e" * 5_000_000 + b"\ndata: {}\n\n"
    for _ in range(1000):
        yield d.sse(d.frame("server.heartbeat")) * 10


def _frames(count: int, made: Callable[[int], JSON], of: int = 500) -> Iterator[bytes]:
    for first in range(0, count, of):
        yield d.sse(*(made(number) for number in range(first, min(first + of, count))))


def unknown_events() -> Iterator[bytes]:
    return _frames(200_000, lambda number: d.frame(f"kind.{number}", sessionID=d.SESSION, value=[number] * 5))


def unknown_sessions() -> Iterator[bytes]:
    def made(number: int) -> JSON:
        name = f"ses_{number:026d}"
        match number % 4:
            case 0:
                return d.frame("session.idle", sessionID=name)
            case 1:
                return d.frame("session.error", sessionID=name, error={"name": "E", "data": {"message": "no"}})
            case 2:
                return d.frame("message.updated", info=d.prompt(number)["info"] | {"sessionID": name})
            case _:
                return d.frame("todo.updated", sessionID=name, todos=[{"content": "entry", "status": "pending"}])

    return _frames(100_000, made)


def duplicates() -> Iterator[bytes]:
    both = (
        d.frame("message.updated", info=d.answer()["info"]),
        d.frame("message.part.updated", part=d.tool_part(9)),
    )
    return _frames(100_000, lambda number: both[number % 2])


def stray_deltas() -> Iterator[bytes]:
    def made(number: int) -> JSON:
        ids = {"messageID": f"msg_{number:026d}", "partID": f"prt_{number:026d}"}
        return d.frame("message.part.delta", sessionID=d.SESSION, field="text", delta="word ", **ids)

    return _frames(200_000, made)


def messages_by_events() -> Iterator[bytes]:
    def made(number: int) -> JSON:
        name = f"msg_{number // 2:026d}"
        if number % 2:
            return d.frame("message.part.updated", part=d.text_part("words", number, name))
        return d.frame("message.updated", info=d.prompt(1)["info"] | {"id": name, "time": {"created": d.AT + number}})

    return _frames(40_000, made)


def sessions_by_events() -> Iterator[bytes]:
    return _frames(10_000, lambda number: d.frame("session.created", info=d.session(number + 1)))


def parts_by_events() -> Iterator[bytes]:
    return _frames(50_000, lambda number: d.frame("message.part.updated", part=d.tool_part(number)))


def permissions_by_events() -> Iterator[bytes]:
    return _frames(5_000, lambda number: d.frame("permission.asked", **d.permission(number)))


def statuses_by_events() -> Iterator[bytes]:
    return _frames(
        100_000,
        lambda number: d.frame("session.status", sessionID=d.session(number + 1)["id"], status={"type": "busy"}),
    )


def frames_of_no_json() -> Iterator[bytes]:
    kinds = (b"{", b"nul", b'{"a":}', b"[" * 5000, b'"\xff\xfe"', b"1e400", b"NaN", b'{"payload":[]}', b"{} {}")
    for _ in range(1000):
        yield b"".join(b"data: " + kinds[at % len(kinds)] + b"\n\n" for at in range(100))


def _events() -> list[JSON]:
    """One event of each kind that the client reads."""
    error = {"name": "APIError", "data": {"message": "failed", "statusCode": 500}}
    retry = {"type": "retry", "attempt": 2, "message": "overloaded", "next": d.AT}
    return [
        d.frame("session.created", info=d.session(1)),
        d.frame("session.updated", info=d.session(agent="build")),
        d.frame("session.status", sessionID=d.SESSION, status=retry),
        d.frame("session.retry.attempt", sessionID=d.SESSION, attempt=1, reason="why", nextDelayMs=100),
        d.frame("session.error", sessionID=d.SESSION, error=error),
        d.frame("message.updated", info=d.prompt(5)["info"]),
        d.frame("message.part.updated", part=d.text_part("a prompt", 500, d.prompt(5)["info"]["id"])),
        d.frame("message.updated", info=d.answer(error=error, finish=None)["info"]),
        d.frame("message.part.updated", part=d.text_part("a text", 501)),
        d.frame("message.part.updated", part=d.tool_part(502, status="running")),
        d.frame("message.part.updated", part=d.tool_part(503, status="error", error="failed")),
        d.frame(
            "message.part.delta", sessionID=d.SESSION, messageID=d.ANSWER, partID=d.text_part("", 501)["id"],
            field="text", delta="more",
        ),
        d.frame("question.asked", **d.question(1)),
        d.frame("permission.asked", **d.permission(1)),
        d.frame("todo.updated", sessionID=d.SESSION, todos=[{"content": "entry", "status": "pending"}]),
    ]  # fmt: skip


def numbers_by_events() -> Iterator[bytes]:
    for number in (
        "1e400",
        "-1e400",
        "NaN",
        "1" + "0" * 300,
        "1" + "0" * 5000,
        "-1",
        '"text"',
        "[]",
        "{}",
        "null",
    ):
        for event in _events():
            yield raw_sse(*one_by_one(event, number))


def texts_by_events() -> Iterator[bytes]:
    for event in _events():
        yield d.sse(with_attack_text(event))


def long_texts_by_events() -> Iterator[bytes]:
    for event in _events():
        yield d.sse(with_attack_text(event, MEGABYTE))
        yield d.sse(with_attack_text(event, LINES))


def plans_by_events() -> Iterator[bytes]:
    plan: list[d.JSON] = [{"content": ""}] * 100_000
    for number in range(100):
        yield d.sse(d.frame("todo.updated", sessionID=f"ses_{number}", todos=plan))


def large_permissions_by_events() -> Iterator[bytes]:
    text = "p" * 1_700_000
    for number in range(100):
        yield d.sse(d.frame("permission.asked", **d.permission(number, patterns=[text], metadata={"command": text})))


def heartbeats() -> Iterator[bytes]:
    for _ in range(1000):
        yield d.sse(d.frame("server.heartbeat")) * 1000


def surrogates() -> Iterator[bytes]:
    part = d.text_part("", 700)
    yield d.sse(d.frame("message.part.updated", part=part | {"time": {"start": d.AT}}))
    ids = {"sessionID": d.SESSION, "messageID": d.ANSWER, "partID": part["id"], "field": "text"}
    for text in (
        "\ud83d",
        "\ude00",
        "\ud83d",
        "\x1b",
        "[2J",
        "\ude00\ude00",
        "\u202e",
        "&#x20",
        "2e;",
        "\r",
        "\n\t",
    ):
        yield d.sse(d.frame("message.part.delta", delta=text, **ids))


# qwen serve and MiMo Code


def _updates() -> list[JSON]:
    words = {"type": "text", "text": "words"}
    call = {
        "toolCallId": "call_1",
        "title": "title",
        "kind": "read",
        "status": "in_progress",
        "rawInput": {"n": 1},
    }
    content = [
        {"type": "content", "content": words},
        {"type": "diff", "path": "x", "oldText": "a", "newText": "b"},
    ]
    usage = {"inputTokens": 1, "outputTokens": 2}
    asked = {
        "requestId": "r1",
        "sessionId": d.QWEN_SESSION,
        "toolCall": call | {"content": content},
        "options": [{"kind": "allow_once", "name": "name", "optionId": "proceed_once"}],
    }
    return [
        d.qwen_event(4, {"sessionUpdate": "user_message_chunk", "content": words}),
        d.qwen_event(5, {"sessionUpdate": "agent_message_chunk", "content": words, "_meta": {"usage": usage}}),
        d.qwen_event(6, {"sessionUpdate": "agent_thought_chunk", "content": words}),
        d.qwen_event(7, {"sessionUpdate": "tool_call", **call}),
        d.qwen_event(8, {"sessionUpdate": "tool_call_update", "toolCallId": "call_1", "content": content}),
        d.qwen_event(9, {"sessionUpdate": "plan", "entries": [{"content": "entry", "status": "pending"}]}),
        d.qwen_event(10, asked, "permission_request"),
        d.qwen_event(11, {"message": "401 bad key", "promptId": "p1"}, "turn_error"),
        d.qwen_event(12, {"sessionId": d.QWEN_SESSION, "stopReason": "end_turn"}, "turn_complete"),
    ]


def qwen_frames() -> Iterator[bytes]:
    for event in _updates():
        yield d.qwen_sse(with_attack_text(event))
    for number in ("1e400", "NaN", "1" + "0" * 300, "1" + "0" * 5000, "-1", '"text"', "[]"):
        for event in _updates():
            yield raw_sse(*one_by_one(event, number))


def qwen_flood() -> Iterator[bytes]:
    for first in range(0, 70_000, 500):
        yield d.qwen_sse(*(_flood(number) for number in range(first, first + 500)))


def _flood(number: int) -> dict[str, JSON]:
    if number % 7 < 5:
        call = {"sessionUpdate": "tool_call", "toolCallId": f"call_{number}", "title": "title", "kind": "read"}
        return d.qwen_event(number + 4, call | {"status": "completed"})
    kind = "user_message_chunk" if number % 7 == 5 else "agent_message_chunk"
    return d.qwen_event(number + 4, {"sessionUpdate": kind, "content": {"type": "text", "text": f"words {number}"}})


def qwen_documents() -> Mapping[str, Document]:
    def loaded() -> bytes:
        values = ("1e400", "NaN", "1" + "0" * 5000, "-1", "[]")
        replay = [with_attack_text(event) for event in _updates()]
        replay += [one for number in values for event in _updates() for one in one_by_one(event, number)]
        return raw(d.qwen_loaded(compactedReplay=replay))

    def listed() -> bytes:
        hostile = d.qwen_session(1, createdAt="99999999999-01-01", updatedAt="2026-11-28T25:61:99Z" + CONTROLS)
        return d.encode({"sessions": [with_attack_text(d.qwen_session()), with_attack_text(hostile)]})

    return {"messages": loaded, "sessions": listed}


def qwen_sessions() -> bytes:
    return d.encode({"sessions": [d.qwen_session(number) for number in range(100_000)]})


def qwen_records() -> bytes:
    return d.encode(d.qwen_loaded(compactedReplay=list(map(_flood, range(50_000))), lastEventId=50_004))


def mimo_terminals() -> bytes:
    entry = {"id": "", "sessionID": d.SESSION, "callID": "call_1", "command": "command", "output": "output"}
    return d.encode([with_attack_text(entry | {"id": f"bin_{number}"}) for number in range(5_000)])
