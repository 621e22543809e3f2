"""Open permissions and questions of one live session, and their settlement by votes.

Each mirrors a request of `PendingRequests`, in the form of qwen's `permission_request`.
"""

import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal

from server_stub.domain.api_errors import ApiError
from server_stub.domain.json_encoding import Json
from server_stub.qwen import updates

ONCE, CANCEL, ALWAYS = "proceed_once", "cancel", "proceed_always"
CANCELLED: Json = {"outcome": "cancelled"}


@dataclass(slots=True, eq=False)
class Interaction:
    kind: Literal["permission", "user_question"]
    asked: str
    """The id of the request in `PendingRequests`."""
    call: Json
    options: list[Json]
    created_at: str
    prompt_id: str | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def pending(self) -> Json:
        """As `/status` shows it."""
        known: Json = {"requestId": self.id, "kind": self.kind, "createdAt": self.created_at}
        options = [
            {"optionId": option["optionId"], "label": option["name"], "kind": option["kind"]} for option in self.options
        ]
        if self.kind == "user_question":
            questions = [
                {**question, "answerKey": str(number)}
                for number, question in enumerate(self.call["rawInput"]["questions"])
            ]
            return {**known, "title": self.call["title"], "questions": questions, "options": options}
        shown = {name: self.call[name] for name in ("title", "content", "locations")}
        action = {"type": self.call["kind"], **shown, "input": self.call["rawInput"]}
        return {**known, "action": action, "options": options}

    def allows(self, outcome: Json) -> bool:
        return bool(outcome["outcome"] == "selected" and outcome["optionId"] != CANCEL)

    def check(self, outcome: Json) -> None:
        """Raises ApiError 400 for an option that was not offered."""
        chosen = outcome.get("optionId")
        if outcome["outcome"] == "selected" and chosen not in {option["optionId"] for option in self.options}:
            error = f'Permission {self.id}: optionId "{chosen}" is not in the set of options the agent offered.'
            where = {"code": "invalid_option_id", "requestId": self.id, "optionId": chosen}
            raise ApiError(HTTPStatus.BAD_REQUEST, {"error": error, **where})


def question(asked: Json, created_at: str, prompt_id: str | None) -> Interaction:
    """`asked` is the info of a question in `PendingRequests`."""
    given = updates.raw_input({"questions": asked["questions"]})
    call = updates.permission_call("question", asked["tool"]["callID"], given)
    options = [_option("allow_once", "Submit", ONCE), _option("reject_once", "Cancel", CANCEL)]
    return Interaction("user_question", asked["id"], call, options, created_at, prompt_id)


def permission(asked: Json, given: Json, created_at: str, prompt_id: str | None) -> Interaction:
    """`asked` is the info of a permission in `PendingRequests`, `given` the input of its tool call."""
    call = updates.permission_call(asked["permission"], asked["tool"]["callID"], updates.raw_input(given))
    patterns = ", ".join(asked["always"])
    options = [
        _option("allow_always", f"Always Allow in project: {patterns}", f"{ALWAYS}_project"),
        _option("allow_always", f"Always Allow for user: {patterns}", f"{ALWAYS}_user"),
        _option("allow_once", "Allow", ONCE),
        _option("reject_once", "Reject", CANCEL),
    ]
    return Interaction("permission", asked["id"], call, options, created_at, prompt_id)


def answers_of(interaction: Interaction, given: object) -> list[list[str]]:
    """The answers by question, empty if unanswered; one value that is not a string drops them all."""
    if not isinstance(given, dict) or not all(isinstance(answer, str) for answer in given.values()):
        return []
    count = len(interaction.call["rawInput"]["questions"])
    return [[given[key]] if given.get(key) else [] for key in map(str, range(count))]


def _option(kind: str, name: str, option_id: str) -> Json:
    return {"kind": kind, "name": name, "optionId": option_id}
