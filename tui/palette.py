"""Everything there is, by name: what the command palette lists."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.app import SystemCommand

if TYPE_CHECKING:
    from tui.app import HoldfastApp


def commands(app: "HoldfastApp") -> Iterator[SystemCommand]:
    """Each with its key, where it has one."""
    main = app.main
    yield SystemCommand("Sessions", "Open, begin, rename, copy or delete one (F2)", app.action_sessions)
    yield SystemCommand("Inbox", "Who waits for you, in any session (F3)", app.action_inbox)
    yield SystemCommand("New session", "Begin anew", app.action_new_session)
    yield SystemCommand("Agent", "Who answers from the next prompt on (Ctrl-T)", app.action_agent)
    yield SystemCommand("Model", "The model from the next prompt on", app.choosing.model)
    yield SystemCommand("Editor", "Write the prompt in your own editor (Ctrl-G)", app.action_editor)
    yield SystemCommand("Earlier prompts", "Search what was sent before (Ctrl-R)", app.action_history)
    yield SystemCommand("Let the queue go on", "Send what waits, though it is held (F8)", app.action_release)
    yield SystemCommand("Search", "Look for words in the transcript (Ctrl-F)", main.action_search)
    yield SystemCommand("Copy code", "The block of code in sight (F7)", main.action_copy_code)
    yield SystemCommand("Plan", "All of the agent's plan, or one line of it (F6)", main.action_plan)
    yield SystemCommand("Try the line now", "Connect at once instead of waiting (F5)", app.action_retry)
    yield SystemCommand("Keys", "The keys of this part and everywhere (F1)", app.action_help)
    yield SystemCommand("Theme", "Other colours", app.action_change_theme)
    yield SystemCommand("Quit", "Leave; says what goes on without you (Ctrl-Q)", app.action_leave)
