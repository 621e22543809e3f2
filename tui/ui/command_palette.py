"""Everything there is, by name: what the command palette lists."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.app import SystemCommand

from tui.config.keymap import with_keys

if TYPE_CHECKING:
    from tui.ui.app import HoldfastApp


def commands(app: "HoldfastApp") -> Iterator[SystemCommand]:
    """Each with its key, where it has one."""
    main = app.main
    for name, about, action in (
        ("Sessions", "Open, begin, rename, copy or delete one ({sessions})", app.action_sessions),
        ("Inbox", "Who waits for you, in any session ({inbox})", app.action_inbox),
        ("Question", "Fold away or unfold what this session asks ({fold})", main.action_fold),
        ("New session", "Begin anew", app.action_new_session),
        ("Agent", "Who answers from the next prompt on ({agent})", app.action_agent),
        ("Model", "The model from the next prompt on", app.choosing.model),
        ("Editor", "Write the prompt in your own editor ({editor})", app.action_editor),
        ("Earlier prompts", "Search what was sent before (^R)", app.action_history),
        ("Let the queue go on", "Send what waits, though it is held ({release})", app.action_release),
        ("Search", "Look for words in the whole transcript ({search})", main.action_search),
        ("End of the transcript", "Follow what comes (End)", main.transcript.follow),
        *(
            (
                ("Undo", "The newest prompt and all after it, with their changes to files", app.sessions.undo),
                ("Redo", "Bring back what is undone; the next prompt removes it for good", app.sessions.redo),
            )
            if app.client.traits is None or app.client.traits.undoes
            else ()
        ),
        ("Copy code", "The block of code in sight ({copy_code})", main.action_copy_code),
        ("Plan", "All of the agent's plan, or one line of it ({plan})", main.action_plan),
        ("Abort the turn", "Asks once more: Esc within 3 seconds aborts (Esc Esc)", app.action_abort),
        ("Try the line now", "Connect at once instead of waiting ({retry})", app.action_retry),
        ("Keys", "The keys of this part and everywhere ({help})", app.action_help),
        ("Theme", "Other colours", app.action_change_theme),
        ("Quit", "Leave; says what goes on without you ({leave})", app.action_leave),
    ):
        yield SystemCommand(name, with_keys(about), action)
