"""Sessions: list, create, rename, delete, fork; and actions on idle sessions."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server_stub.domain import zod
from server_stub.domain.agent import Agent
from server_stub.domain.api_errors import ApiError, bad_request, busy_runner, session_busy
from server_stub.domain.client_registry import ClientRegistry
from server_stub.domain.json_encoding import Json, JsonResponse
from server_stub.domain.state import ServerState, Session
from server_stub.http.directory import directory_of
from server_stub.http.validation import field, identifier, read_object, unexplained, wrong_value

PAGE_SIZE = 100
"""Default limit of a list of sessions."""


def routes(server: ServerState, agent: Agent, clients: ClientRegistry) -> list[Route]:
    def session_of(request: Request) -> Session:
        return server.session(request.path_params["sid"])

    def read_session_of(request: Request) -> Session:
        """The session; MiMo Code treats an unknown one as empty."""
        session_id = request.path_params["sid"]
        if server.profile.validation == "zod" and session_id.startswith("ses") and session_id not in server.sessions:
            return Session({"id": session_id})
        return session_of(request)

    def idle_session_of(request: Request) -> Session:
        session = session_of(request)
        if agent.is_busy(session):
            raise busy_runner(session.id) if server.profile.validation == "zod" else session_busy(session.id)
        return session

    def matching(request: Request) -> list[Json]:
        """Newest first, by last update; limit, roots, start, search, directory, path filter them."""
        query = request.query_params
        sessions = [
            session.info
            for session in server.sessions.values()
            if query.get("directory") in (None, session.directory)
            and query.get("path") in (None, session.info.get("path"))
            and not (query.get("roots") == "true" and "parentID" in session.info)
            and session.info["time"]["updated"] >= int(_number(query.get("start"), 0))
            and query.get("search", "").lower() in session.info["title"].lower()
        ]
        sessions.sort(key=lambda info: (info["time"]["updated"], info["id"]), reverse=True)
        return sessions[: _number(query.get("limit"), PAGE_SIZE)]

    async def listed(request: Request) -> Response:
        """Newest first, by last update."""
        return JsonResponse(matching(request))

    async def listed_with_projects(request: Request) -> Response:
        """Sessions of every project, newest first, each with its project."""
        project = {"id": "global", "worktree": "/"}
        return JsonResponse([{**info, "project": project} for info in matching(request)])

    async def created(request: Request) -> Response:
        """Create a session; with `parentID`, a child."""
        body = await read_object(request, required=False)
        title, parent_id = _text(body, "title"), _text(body, "parentID", "ses")
        session = server.create_session(directory_of(request, server), title, parent_id)
        return JsonResponse(session.info)

    async def statuses(request: Request) -> Response:
        """Statuses of the directory's sessions that are not idle."""
        return JsonResponse(server.statuses(directory_of(request, server)))

    async def one(request: Request) -> Response:
        """One session."""
        return JsonResponse(session_of(request).info)

    async def changed(request: Request) -> Response:
        """Rename or archive a session."""
        body = await read_object(request)
        session = session_of(request)
        if server.profile.revisions:
            check_revision(session, body)
        if not isinstance(body.get("title"), str | None):
            raise wrong_value("string | null", body["title"], '["title"]')
        changes = {name: body[name] for name in ("title", "time") if body.get(name) is not None}
        if server.profile.revisions and "title" in changes:
            changes |= {"titleSource": "user", "titleRevision": session.info["titleRevision"] + 2}
        if changes or not server.profile.revisions:
            server.update_session(session, **changes)
        return JsonResponse(session.info)

    async def deleted(request: Request) -> Response:
        """Delete a session and its children; their runs go on."""
        session = session_of(request)
        for one in (session, *server.descendants(session)):
            clients.forget(one.id)
        server.delete_session(session)
        return JsonResponse(True)

    async def children(request: Request) -> Response:
        """Child sessions of a session."""
        return JsonResponse([child.info for child in server.children(read_session_of(request))])

    async def todos(request: Request) -> Response:
        """The agent's todo list."""
        return JsonResponse(read_session_of(request).todos)

    async def diff(request: Request) -> Response:
        """The session's changes, by file."""
        session_id = request.path_params["sid"]
        if session_id.startswith("ses") and session_id not in server.sessions:
            return JsonResponse([])
        return JsonResponse(session_of(request).diff)

    async def forked(request: Request) -> Response:
        """Copy a session, up to a message if given."""
        body = await read_object(request, required=False)
        until = _text(body, "messageID", "msg")
        return JsonResponse(server.fork_session(session_of(request), until).info)

    async def summarized(request: Request) -> Response:
        """Replace the model's context by a summary."""
        body = await read_object(request)
        for name in ("providerID", "modelID"):
            field(body, name, str)
        await agent.summarize(session_of(request))
        return JsonResponse(True)

    async def reverted(request: Request) -> Response:
        """Hide a prompt and all messages after it, until the next prompt removes them.

        The id of an answer means the prompt before it; an unknown id changes nothing.
        """
        body = await read_object(request)
        session = idle_session_of(request)
        message_id = identifier(field(body, "messageID", str), "msg", '["messageID"]')
        ids = [message.info["id"] for message in session.ordered()]
        if message_id in ids:
            until = session.ordered()[: ids.index(message_id) + 1]
            prompt = next(m.info["id"] for m in reversed(until) if m.info["role"] == "user")
            server.set_diff(session, session.diff)
            server.update_session(session, revert={"messageID": prompt})
        return JsonResponse(session.info)

    async def unreverted(request: Request) -> Response:
        """Undo a revert."""
        session = idle_session_of(request)
        if "revert" in session.info:
            server.update_session(session, revert=None)
        return JsonResponse(session.info)

    async def shell(request: Request) -> Response:
        """Run a shell command of the user; the stub plays its output and runs nothing."""
        body = await read_object(request)
        field(body, "agent", str)
        command = field(body, "command", str)
        return JsonResponse((await agent.shell(idle_session_of(request), command)).document())

    base = "/session/{sid}"
    return [
        Route("/session", listed, methods=["GET"]),
        Route("/experimental/session", listed_with_projects, methods=["GET"]),
        Route("/session", created, methods=["POST"]),
        Route("/session/status", statuses, methods=["GET"]),
        Route(base, one, methods=["GET"]),
        Route(base, changed, methods=["PATCH"]),
        Route(base, deleted, methods=["DELETE"]),
        Route(f"{base}/children", children, methods=["GET"]),
        Route(f"{base}/todo", todos, methods=["GET"]),
        Route(f"{base}/diff", diff, methods=["GET"]),
        Route(f"{base}/fork", forked, methods=["POST"]),
        Route(f"{base}/summarize", summarized, methods=["POST"]),
        Route(f"{base}/revert", reverted, methods=["POST"]),
        Route(f"{base}/unrevert", unreverted, methods=["POST"]),
        Route(f"{base}/shell", shell, methods=["POST"]),
    ]


RENAMED = ("title", "expectedRevision", "permission", "time")


def check_revision(session: Session, body: Json) -> None:
    """A rename must name the title's current revision. Raises ApiError 400, or 409 if it has changed."""
    unknown = [name for name in body if name not in RENAMED]
    if unknown:
        named = ", ".join(f'"{name}"' for name in unknown)
        message = f"Unrecognized key{'s' if len(unknown) > 1 else ''}: {named}"
        raise bad_request(message, issue=zod.custom(message, "", "unrecognized_keys", keys=unknown))
    if "title" not in body:
        return
    if "expectedRevision" not in body:
        message = "expectedRevision is required when renaming"
        raise bad_request(message, issue=zod.custom(message, '["expectedRevision"]'))
    given, now = body["expectedRevision"], session.info["titleRevision"]
    if given > now:
        detail = {"message": "expectedRevision is in the future"}
        raise ApiError(400, {"success": False, "data": detail, "errors": [detail]})
    if given < now:
        current = {name: session.info[name] for name in ("title", "titleSource", "titleRevision")}
        raise ApiError(409, {"name": "TitleConflictError", "data": {"current": {"sessionID": session.id, **current}}})


def _text(body: Json, name: str, prefix: str = "") -> str | None:
    """An optional string field with a prefix. Raises ApiError 400 without a reason."""
    if name not in body:
        return None
    text = body[name]
    if not isinstance(text, str) or not text.startswith(prefix):
        raise unexplained()
    return text


def _number(text: str | None, otherwise: int) -> int:
    """The number, or `otherwise`; opencode ignores an invalid number."""
    return int(text) if text is not None and text.isdecimal() else otherwise
