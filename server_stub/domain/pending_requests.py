"""Questions and permissions of the agent, open until answered, as in opencode.

An aborted turn leaves its request listed; a reply to it is accepted without effect.
"""

import asyncio
import uuid
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, TypeVar

from server_stub.domain.api_errors import request_not_found
from server_stub.domain.event_bus import EventBus
from server_stub.domain.ids import Ids
from server_stub.domain.json_encoding import Json

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Answered:
    answers: list[list[str]]
    """One list per question, in order; empty if unanswered."""


@dataclass(frozen=True, slots=True)
class Allowed:
    pass


@dataclass(frozen=True, slots=True)
class Rejected:
    reason: str | None = None
    """With a reason the model continues, without one the turn ends."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    info: Json
    directory: str
    outcome: asyncio.Future[Answered | Rejected]


@dataclass(frozen=True, slots=True, eq=False)
class Permission:
    info: Json
    directory: str
    outcome: asyncio.Future[Allowed | Rejected]


@dataclass(frozen=True, slots=True, eq=False)
class Command:
    """A command for the user to run; it names neither its session nor its tool call."""

    info: Json
    directory: str
    outcome: asyncio.Future[tuple[str, int]]
    """Its output and exit code."""


class PendingRequests:
    """The open requests of all sessions, and the patterns that are always allowed.

    With `lenient`, a reply to an unknown request is accepted without effect; else it raises ApiError 404.
    """

    def __init__(self, bus: EventBus, ids: Ids, *, lenient: bool = False) -> None:
        self._lenient = lenient
        self._commands: dict[str, Command] = {}
        self._bus = bus
        self._ids = ids
        self._questions: dict[str, Question] = {}
        self._permissions: dict[str, Permission] = {}
        self._always: list[tuple[str, str, str]] = []  # directory, permission, pattern

    def questions(self, directory: str) -> list[Json]:
        return [one.info for one in self._questions.values() if one.directory == directory]

    def permissions(self, directory: str) -> list[Json]:
        return [one.info for one in self._permissions.values() if one.directory == directory]

    def ask_question(self, directory: str, session_id: str, questions: list[Json], tool: Json) -> Question:
        info: Json = {"id": self._ids.new("que"), "sessionID": session_id, "questions": questions, "tool": tool}
        question = Question(info, directory, asyncio.get_running_loop().create_future())
        self._questions[info["id"]] = question
        self._bus.publish("question.asked", info, directory)
        return question

    def reply_question(self, request_id: str, answers: list[list[str]], *, directory: str | None = None) -> None:
        """Raises ApiError 404 if it is not open in this directory or (None) in any."""
        question = self._pop_question(request_id, directory)
        if question is None:
            return
        self._publish(question, "question.replied", {"answers": answers})
        _settle(question.outcome, Answered(answers))

    def reject_question(self, request_id: str, *, directory: str | None = None) -> None:
        """Raises ApiError 404 if it is not open in this directory or (None) in any."""
        question = self._pop_question(request_id, directory)
        if question is None:
            return
        self._publish(question, "question.rejected", {})
        _settle(question.outcome, Rejected())

    def ask_permission(
        self,
        directory: str,
        session_id: str,
        permission: str,
        patterns: list[str],
        always: list[str],
        **more: Json,
    ) -> Permission:
        """`more` is `metadata` and `tool`. An always-allowed request is settled at once, without an event."""
        info: Json = {
            "id": self._ids.new("per"),
            "sessionID": session_id,
            "permission": permission,
            "patterns": patterns,
            "metadata": more.get("metadata", {}),
            "always": always,
            "tool": more.get("tool"),
        }
        asked = Permission(info, directory, asyncio.get_running_loop().create_future())
        if self._is_allowed(asked):
            asked.outcome.set_result(Allowed())
        else:
            self._permissions[info["id"]] = asked
            self._bus.publish("permission.asked", info, directory)
        return asked

    def reply_permission(
        self,
        request_id: str,
        reply: Literal["once", "always", "reject"],
        reason: str | None = None,
        *,
        directory: str | None = None,
    ) -> None:
        """`reject` rejects every open permission of the session.

        Raises ApiError 404 if it is not open in this directory or (None) in any.
        """
        asked = self._permissions.get(request_id)
        if asked is None or directory not in (None, asked.directory):
            if self._lenient:
                return
            raise request_not_found("PermissionNotFoundError", "Permission", request_id)
        del self._permissions[request_id]
        self._publish(asked, "permission.replied", {"reply": reply})
        match reply:
            case "once":
                _settle(asked.outcome, Allowed())
            case "always":
                directory, kind = asked.directory, asked.info["permission"]
                self._always += [(directory, kind, pattern) for pattern in asked.info["always"]]
                _settle(asked.outcome, Allowed())
                for other in self._open_of(asked.info["sessionID"]):
                    if self._is_allowed(other):
                        self._settle_along(other, "always", Allowed())
            case "reject":
                _settle(asked.outcome, Rejected(reason))
                for other in self._open_of(asked.info["sessionID"]):
                    self._settle_along(other, "reject", Rejected())

    def commands(self) -> list[Json]:
        return [one.info for one in self._commands.values()]

    def ask_command(self, directory: str, command: str, description: str) -> Command:
        """Ask the user to run a command at a terminal. It stays listed when its turn is aborted."""
        info: Json = {"id": str(uuid.uuid4()), "command": command, "cwd": directory, "env": {}}
        info["description"] = description
        asked = Command(info, directory, asyncio.get_running_loop().create_future())
        self._commands[info["id"]] = asked
        self._bus.publish("bash.interactive.asked", info, directory)
        return asked

    def reply_command(self, request_id: str, output: str, exit_code: int) -> None:
        asked = self._commands.pop(request_id, None)
        if asked is not None:
            said = {"id": request_id, "output": output, "exitCode": exit_code}
            self._bus.publish("bash.interactive.replied", said, asked.directory)
            _settle(asked.outcome, (output, exit_code))

    def withdraw_permissions(self, session_id: str) -> None:
        """Remove the permissions of an aborted turn, without an event."""
        for asked in self._open_of(session_id):
            del self._permissions[asked.info["id"]]

    def forget(self, directory: str | None = None) -> None:
        """Drop requests and grants of one directory or all, without events, as a restarted server does."""
        self._questions = {
            one: asked for one, asked in self._questions.items() if directory not in (None, asked.directory)
        }
        self._permissions = {
            one: asked for one, asked in self._permissions.items() if directory not in (None, asked.directory)
        }
        self._commands = {
            one: asked for one, asked in self._commands.items() if directory not in (None, asked.directory)
        }
        self._always = [grant for grant in self._always if directory not in (None, grant[0])]

    def _pop_question(self, request_id: str, directory: str | None) -> Question | None:
        question = self._questions.get(request_id)
        if question is None or directory not in (None, question.directory):
            if self._lenient:
                return None
            raise request_not_found("QuestionNotFoundError", "Question", request_id)
        return self._questions.pop(request_id)

    def _open_of(self, session_id: str) -> list[Permission]:
        return [one for one in self._permissions.values() if one.info["sessionID"] == session_id]

    def _settle_along(self, asked: Permission, reply: str, outcome: Allowed | Rejected) -> None:
        del self._permissions[asked.info["id"]]
        self._publish(asked, "permission.replied", {"reply": reply})
        _settle(asked.outcome, outcome)

    def _is_allowed(self, asked: Permission) -> bool:
        return all(
            any(
                (directory, kind) == (asked.directory, asked.info["permission"]) and fnmatchcase(pattern, allowed)
                for directory, kind, allowed in self._always
            )
            for pattern in asked.info["patterns"]
        )

    def _publish(self, asked: Question | Permission, kind: str, more: Json) -> None:
        properties = {"sessionID": asked.info["sessionID"], "requestID": asked.info["id"], **more}
        self._bus.publish(kind, properties, asked.directory)


def _settle(future: "asyncio.Future[Outcome]", outcome: Outcome) -> None:
    """Set the result, unless an aborted turn has cancelled its future."""
    if not future.done():
        future.set_result(outcome)
