"""Every key and every command of the client, one row each: the only place that names one.

Textual's bindings, the footer, the help, the command palette, the settings table `[keys]`, `docs/keys.md` and the
keys of the README are all made from `TABLE`.
"""

from collections.abc import Mapping
from enum import Enum, auto

import msgspec


class Scope(Enum):
    """The widget that a key belongs to."""

    APP = auto()
    MAIN = auto()
    PROMPT = auto()
    EDITOR = auto()
    """Every text area: the prompt and a custom answer."""
    COMPLETIONS = auto()
    QUEUE = auto()
    TRANSCRIPT = auto()
    TOOL_CALL = auto()
    REQUEST = auto()
    """A question or a permission."""
    QUESTION = auto()
    PERMISSION = auto()
    CUSTOM_ANSWER = auto()
    SEARCH = auto()
    PALETTE = auto()
    SESSIONS = auto()
    HISTORY = auto()
    INBOX = auto()
    PICKER = auto()
    CONFIRM = auto()
    TEXT_INPUT = auto()
    HELP = auto()


class Key(msgspec.Struct, frozen=True):
    """A key, what it does, and what each place says of it.

    `keys`: as Textual names them, the preferred one first; `a b`: one after the other; `{action}`: the key of that
    action. "": no key, a command only, or what `shown` says. Of several rows of one key in one scope the first says
    what it does; the others are the footer's words for another state.
    `action`: what Textual runs where the scope's widget binds its keys, and the name of the row everywhere.
    `help`: neighbours with the same words share a line. `command`: name and description in the palette.
    `rebindable`: `[keys]` can give the action another key; such a key has priority. `priority`: as in Textual.
    """

    scope: Scope
    keys: str
    action: str = ""
    help: str = ""
    footer: str = ""
    command: tuple[str, str] | None = None
    rebindable: bool = False
    priority: bool = False
    shown: str = ""


APP, MAIN, PROMPT, QUEUE, REQUEST = Scope.APP, Scope.MAIN, Scope.PROMPT, Scope.QUEUE, Scope.REQUEST

TABLE: tuple[Key, ...] = (
    Key(APP, "f1", "help", "help: the keys of the focused part", "help",
        ("Keys", "The keys of the focused part, and those that work everywhere"), rebindable=True),
    Key(APP, "f2", "sessions", "sessions", "sessions",
        ("Sessions", "Open, create, rename, copy or delete a session"), rebindable=True),
    Key(APP, "f3", "inbox", "inbox: what needs your answer, in any session", "inbox",
        ("Inbox", "What needs your answer, in any session"), rebindable=True),
    Key(MAIN, "f4", "fold", "collapse or expand the question", "answer",
        ("Question", "Collapse or expand the question"), rebindable=True),
    Key(APP, "f5", "retry", "reconnect now", "retry now",
        ("Reconnect", "Reconnect now, even if the connection seems healthy"), rebindable=True),
    Key(MAIN, "f6", "plan", "expand or collapse the agent's plan", "plan",
        ("Plan", "Expand or collapse the agent's plan"), rebindable=True),
    Key(MAIN, "f7", "copy_code", "copy the visible code; again: the block above", "copy code",
        ("Copy code", "Copy the visible code block"), rebindable=True),
    Key(APP, "f8", "release", "resume the paused queue", "resume queue",
        ("Resume queue", "Resume the paused queue"), rebindable=True),
    Key(MAIN, "ctrl+f", "search", "search the transcript", "search",
        ("Search", "Search the whole transcript"), rebindable=True),
    Key(APP, "ctrl+t", "agent", "choose the agent", "agent",
        ("Agent", "Choose the agent from the next prompt on"), rebindable=True),
    Key(APP, "ctrl+g", "editor", "write the prompt in your editor", "editor",
        ("Editor", "Write the prompt in your own editor"), rebindable=True),
    Key(APP, "escape escape", "abort", "abort the turn, within 3 seconds", "abort",
        ("Abort the turn", "Asks once more: Esc within 3 seconds aborts")),
    Key(APP, "ctrl+z", "suspend_process", "suspend; fg resumes",
        command=("Suspend", "Back to the shell; fg resumes"), priority=True),
    Key(APP, "ctrl+p", "command_palette", "commands: Undo, Redo, Model, Theme, …", "commands", priority=True),
    Key(APP, "ctrl+q", "leave", "quit; asks first while a turn runs", "quit",
        ("Quit", "Shows what keeps running before quitting"), rebindable=True),
    Key(APP, "ctrl+c", "copy_or_leave", "copy the selection, else quit", priority=True),
    Key(APP, "", "new_session", command=("New session", "Start a new session")),
    Key(APP, "", "model", command=("Model", "Choose the model from the next prompt on")),
    Key(APP, "", "undo", command=("Undo", "Undo the newest prompt and all after it, with their file changes")),
    Key(APP, "", "redo", command=("Redo", "Restore what was undone; sending a prompt discards it permanently")),
    Key(APP, "", "change_theme", command=("Theme", "Change theme")),

    Key(MAIN, "tab", "next_part", footer="answer"),
    Key(MAIN, "shift+tab", "next_part(-1)", footer="queue"),
    Key(MAIN, "escape", "back"),

    Key(PROMPT, "enter", "send", "send; while a turn runs, when it ends", "send"),
    Key(PROMPT, "enter", "send_after_turn", footer="send after the turn"),
    Key(PROMPT, "enter", "send_after_queue", footer="send after these"),
    Key(PROMPT, "enter", "send_before_paused", footer="send before the paused ones"),
    Key(PROMPT, "enter", "send_between", footer="send after the turn, before these"),
    Key(PROMPT, "enter", "send_before_queue", footer="send before these"),
    Key(PROMPT, "enter", "save", footer="save"),
    Key(PROMPT, "ctrl+s", "send_now", "send now, into the running turn", "send now",
        ("Send now", "Send the prompt now, into the running turn")),
    Key(Scope.EDITOR, "ctrl+j,alt+enter,shift+enter", "newline", "newline; also Alt+Enter, Shift+Enter", "newline",
        shown="^J"),
    Key(PROMPT, "up", "earlier", "earlier prompts, from the first line"),
    Key(PROMPT, "down", "later"),
    Key(PROMPT, "ctrl+r", "history", "search earlier prompts",
        command=("Earlier prompts", "Search the prompts that were sent before")),
    Key(PROMPT, "tab", "complete", footer="complete"),
    Key(PROMPT, "", "attach", "attach a file of the project, from the list",
        command=("Attach a file", "Choose a file of the project for the prompt"), shown="@… Tab"),
    Key(PROMPT, "", "server_command", "run a command of the server, from the list",
        command=("Run a server command", "Choose a command of the server"), shown="/… Tab"),
    Key(PROMPT, "escape", "cancel_edit", footer="cancel"),
    Key(Scope.EDITOR, "ctrl+x", "cut", "cut the selection, or the line"),
    Key(Scope.EDITOR, "ctrl+v", "paste", "paste what was cut last"),
    Key(Scope.EDITOR, "backspace", "delete_left"),
    Key(PROMPT, "pageup", "page_up", "scroll the transcript"),
    Key(PROMPT, "pagedown", "page_down", "scroll the transcript"),
    Key(PROMPT, "ctrl+end", "follow", "jump to the latest line",
        command=("Jump to latest", "Follow the end of the transcript")),
    Key(PROMPT, "end", "follow_if_empty"),
    Key(PROMPT, "", shown="Tab", help="to the question, then to the transcript"),
    Key(PROMPT, "", shown="⇧Tab", help="to the queued prompts"),

    Key(Scope.COMPLETIONS, "enter", "take", footer="choose"),
    Key(Scope.COMPLETIONS, "tab", "take_marked", footer="choose"),
    Key(Scope.COMPLETIONS, "up", "move(-1)", footer="move"),
    Key(Scope.COMPLETIONS, "down", "move(1)", footer="move"),
    Key(Scope.COMPLETIONS, "escape", "close", footer="close the list"),

    Key(QUEUE, "enter", "edit", "edit it in the prompt; it keeps its place", "edit"),
    Key(QUEUE, "x,delete,backspace", "remove", "remove it, after a confirmation", "remove", shown="x"),
    Key(QUEUE, "ctrl+s", "send_now", "send it now, paused or not", "send now"),
    Key(QUEUE, "up,k", "move(-1)", "move"),
    Key(QUEUE, "down,j", "move(1)", "move"),
    Key(QUEUE, "escape", "screen.back", "back to the prompt (as does any other letter)", "back"),

    Key(Scope.TRANSCRIPT, "up", "scroll_up", "scroll", "scroll"),
    Key(Scope.TRANSCRIPT, "down", "scroll_down", "scroll", "scroll"),
    Key(Scope.TRANSCRIPT, "j", "next_fold", "next and previous tool call", "tool calls"),
    Key(Scope.TRANSCRIPT, "k", "previous_fold", "next and previous tool call", "tool calls"),
    Key(Scope.TOOL_CALL, "enter", "unfold", "expand or collapse it", "expand"),
    Key(Scope.TOOL_CALL, "m", "more", "show more output", "more output"),
    Key(Scope.TRANSCRIPT, "end", "scroll_end", "jump to latest", "latest"),
    Key(Scope.TRANSCRIPT, "escape", "screen.back", "back to the prompt", "prompt"),

    Key(Scope.QUESTION, "up,k", "move(-1)", "move", "move"),
    Key(Scope.QUESTION, "down,j", "move(1)", "move", "move"),
    Key(Scope.QUESTION, "", shown="1 … 9", help="choose that row; nothing is sent"),
    Key(Scope.QUESTION, "space", "choose", "toggle (multiple choice)", "choose"),
    Key(Scope.QUESTION, "enter", "confirm", "next step; the last one sends", "send"),
    Key(Scope.QUESTION, "enter", "next_step", footer="next"),
    Key(Scope.QUESTION, "", "write", shown="any letter", footer="begins your answer"),
    Key(Scope.QUESTION, "left", "turn(-1)", "previous and next question", "question", shown="←"),
    Key(Scope.QUESTION, "right", "turn(1)", "previous and next question", "question", shown="→"),
    Key(Scope.QUESTION, "left", "back", footer="back"),
    Key(Scope.QUESTION, "pageup", "leap('page_up')"),
    Key(Scope.QUESTION, "pagedown", "leap('page_down')"),
    Key(Scope.QUESTION, "home", "leap('scroll_home')"),
    Key(Scope.QUESTION, "end", "leap('scroll_end')"),
    Key(Scope.PERMISSION, "up,k", "move(-1)", footer="move"),
    Key(Scope.PERMISSION, "down,j", "move(1)", footer="move"),
    Key(Scope.PERMISSION, "enter", "confirm", footer="answer"),
    Key(REQUEST, "n", "next_request", "next and previous request", "next request"),
    Key(REQUEST, "p", "previous_request", "next and previous request"),
    Key(REQUEST, "", shown="Tab", help="to the transcript (not just after focusing)"),
    Key(REQUEST, "tab", "leave", footer="transcript"),
    Key(REQUEST, "x", "reject", "reject, after a confirmation", "reject"),
    Key(REQUEST, "ctrl+x", "reject_typing", "like x and n, while letters type an answer", "reject"),
    Key(REQUEST, "ctrl+n", "next_request_typing", "like x and n, while letters type an answer", "next request"),
    Key(REQUEST, "escape", "fold", "collapse; nothing is rejected", "collapse"),
    Key(Scope.CUSTOM_ANSWER, "enter", "confirm", footer="confirm"),
    Key(Scope.CUSTOM_ANSWER, "enter", "reject", footer="reject with this reason"),
    Key(Scope.CUSTOM_ANSWER, "escape", "back", footer="back"),
    Key(Scope.CUSTOM_ANSWER, "escape", "back_to_options", footer="back to the options"),

    Key(Scope.SEARCH, "enter,up", "go(-1)", "previous match", "previous match", priority=True),
    Key(Scope.SEARCH, "down", "go(1)", "next match", "next match", priority=True),
    Key(Scope.SEARCH, "escape", "leave", "stop fetching older pages; then close", "close", priority=True),
    Key(Scope.SEARCH, "ctrl+o", "go_on", "search older pages", priority=True),

    Key(Scope.PALETTE, "", shown="any letter", help="find a command"),
    Key(Scope.PALETTE, "up", "cursor_up", "move"),
    Key(Scope.PALETTE, "down", "cursor_down", "move"),
    Key(Scope.PALETTE, "enter", "select", "run it"),
    Key(Scope.PALETTE, "escape", "dismiss", "close"),

    Key(Scope.SESSIONS, "", shown="any letter", help="filter, by title, folder or state"),
    Key(Scope.SESSIONS, "up", "move(-1)", "move"),
    Key(Scope.SESSIONS, "down", "move(1)", "move"),
    Key(Scope.SESSIONS, "enter", "submit", "open", "open"),
    Key(Scope.SESSIONS, "ctrl+n", "new", "new session", "new", priority=True),
    Key(Scope.SESSIONS, "ctrl+r", "rename", "rename, copy, delete (if supported)", "rename", priority=True),
    Key(Scope.SESSIONS, "ctrl+o", "fork", "rename, copy, delete (if supported)", "copy", priority=True),
    Key(Scope.SESSIONS, "ctrl+x", "delete", "rename, copy, delete (if supported)", "delete", priority=True),
    Key(Scope.SESSIONS, "escape", "dismiss", "close", "close"),
    Key(Scope.SESSIONS, "{sessions}", "dismiss", "close"),

    Key(Scope.HISTORY, "", shown="any letter", help="filter"),
    Key(Scope.HISTORY, "up", "move(-1)", "move"),
    Key(Scope.HISTORY, "down", "move(1)", "move"),
    Key(Scope.HISTORY, "enter", "submit", "put it in the prompt", "put it in the prompt"),
    Key(Scope.HISTORY, "escape,ctrl+r", "dismiss", "close", "close"),

    Key(Scope.INBOX, "", shown="↑ ↓", help="move"),
    Key(Scope.INBOX, "enter", "switch", "to the answer; Tab or Esc back to the list", "answer"),
    Key(Scope.INBOX, "tab", "switch", "to the answer; Tab or Esc back to the list"),
    Key(Scope.INBOX, "o", "open", "open the session", "open the session"),
    Key(Scope.INBOX, "", shown="1 … 9 Space", help="in the answer: as in a question"),
    Key(Scope.INBOX, "", shown="x", help="in the answer: reject, after a confirmation"),
    Key(Scope.INBOX, "escape", "dismiss", "close", "back"),
    Key(Scope.INBOX, "{inbox}", "dismiss", "close"),

    Key(Scope.PICKER, "", shown="any letter", help="filter"),
    Key(Scope.PICKER, "up,shift+tab", "move(-1)", "move", priority=True, shown="↑"),
    Key(Scope.PICKER, "down,tab", "move(1)", "move", priority=True, shown="↓ Tab"),
    Key(Scope.PICKER, "enter", "submit", "choose", "choose", priority=True),
    Key(Scope.PICKER, "escape", "dismiss", "cancel", "cancel", priority=True),

    Key(Scope.CONFIRM, "enter", "answer(True)", "do it", "OK"),
    Key(Scope.CONFIRM, "escape", "answer(False)", "cancel", "cancel"),
    Key(Scope.CONFIRM, "", shown="any letter", help="cancel and continue typing"),

    Key(Scope.TEXT_INPUT, "enter", "submit", "confirm", "confirm"),
    Key(Scope.TEXT_INPUT, "escape", "dismiss", "cancel", "cancel"),

    Key(Scope.HELP, "escape", "dismiss", "close", "close"),
    Key(Scope.HELP, "{help}", "dismiss", "close"),
)  # fmt: skip

PARTS: Mapping[str, tuple[Scope, ...]] = {
    "the prompt": (PROMPT, Scope.EDITOR),
    "the queued prompts": (QUEUE,),
    "the question": (Scope.QUESTION, REQUEST),
    "the transcript": (Scope.TRANSCRIPT, Scope.TOOL_CALL),
    "the search": (Scope.SEARCH,),
    "the command list": (Scope.PALETTE,),
    "the sessions": (Scope.SESSIONS,),
    "the inbox": (Scope.INBOX,),
    "the earlier prompts": (Scope.HISTORY,),
    "the list": (Scope.PICKER,),
    "the confirmation": (Scope.CONFIRM,),
    "the text field": (Scope.TEXT_INPUT,),
    "the help": (Scope.HELP,),
}
"""What the help calls the parts of the screen, and whose keys it lists for them."""
EVERYWHERE = (APP, MAIN)
README_ACTIONS = ("send", "abort", "inbox", "sessions", "command_palette")
"""Actions whose keys the README names."""
