"""Which keys count now: a few of them for the footer, all of the part that has them for the help."""

from typing import TYPE_CHECKING, Any

from textual.screen import Screen
from textual.widgets import Input, TextArea

from tui.ui.terminal_input import TextBurst
from tui.widgets.prompt.prompt import PromptBox
from tui.widgets.prompt.queue_list import QueueList
from tui.widgets.requests.custom_answer import CustomAnswerForm
from tui.widgets.requests.panel import RequestPanel
from tui.widgets.status.footer import Keys

if TYPE_CHECKING:
    from tui.ui.main_screen import MainScreen

TRANSCRIPT_KEYS: Keys = (
    ("↑ ↓", "scroll"),
    ("j k", "next tool call, the one before"),
    ("Enter", "open or close it"),
    ("m", "more of an output that is cut"),
    ("End", "follow the end"),
    ("{search}", "search"),
    ("{copy_code}", "copy the code in sight"),
    ("Esc", "back to the prompt"),
)


ANSWERS = frozenset("123456789npx")
"""What a question does without a binding."""
COMMAND_KEYS: Keys = (("letters", "find a command"), ("↑ ↓", "move"), ("Enter", "run it"), ("Esc", "close"))
"""Of Textual's own command palette."""
SEARCH_KEYS: Keys = (
    ("Enter ↑", "the place before"),
    ("↓", "the next place"),
    ("Esc", "stop fetching older pages; then leave"),
    ("^O", "search older pages after all"),
    ("{search}", "leave the search"),
)


def of_screen(screen: Screen[Any], main: "MainScreen") -> tuple[str, Keys]:
    """The name and all keys of the dialog that is open, or of the part of the main screen that has the focus."""
    if screen is main:
        return of_part(main)
    return getattr(screen, "KEYS_OF", ("the list of commands", COMMAND_KEYS))


def of_part(main: "MainScreen") -> tuple[str, Keys]:
    """The name and all keys of the part that has the focus."""
    if main.searching:
        return "the search", SEARCH_KEYS
    if main.panel.has_focus_within:
        return "the question", RequestPanel.KEYS
    if main.transcript.has_focus_within:
        return "the transcript", TRANSCRIPT_KEYS
    if main.focused is main.queue:
        return "the prompts that wait", QueueList.KEYS
    return "the prompt", PromptBox.KEYS


def named(main: "MainScreen") -> Keys:
    """Those that the footer names, the most needed first."""
    keys = _of_the_moment(main)
    if main.focused is main.prompt and main.prompt.grace.runs:
        keys = tuple(hint for hint in keys if hint[0] != "Enter")
    completions = main.prompt.completions
    if completions.is_open:
        takes = "Enter" if completions.entered(main.prompt.unfinished) else "Tab"
        others = tuple(hint for hint in keys if hint[0] != takes)
        return ((takes, "take it"), ("↑ ↓", "choose"), ("Esc", "close the list"), *others)
    return (("Tab", "complete"), *keys) if completes(main) else keys


def are_keys(screen: Screen[Any], burst: TextBurst) -> bool:
    """Whether the part that has the focus takes each character as a key of its own, and the burst for no paste."""
    focused, text = screen.focused, burst.text
    if isinstance(focused, Input):
        return not burst.is_paste or text.count("\r") == 1  # Enter ends the field: what follows is for another part
    if isinstance(focused, TextArea):
        return not burst.is_paste
    answers = isinstance(focused, CustomAnswerForm)
    if answers and text[0].isdecimal() and not burst.is_paste:
        return True  # it may open a field, and the rest is written there
    bound = screen.active_bindings
    return all(key.key in bound or (answers and key.key in ANSWERS) for key in burst.keys)


def completes(main: "MainScreen") -> bool:
    """Whether Tab completes the word at the cursor."""
    return main.focused is main.prompt and bool(main.prompt.unfinished)


def _of_the_moment(main: "MainScreen") -> Keys:
    panel = main.panel
    if main.searching:
        return (("Enter", "place before"), ("↓", "next place"), ("Esc", "leave"))
    if panel.has_focus_within:
        return panel.keys if main.just_came or panel.grace.runs else (*panel.keys, ("Tab", "transcript"))
    if main.transcript.has_focus_within:
        return TRANSCRIPT_KEYS
    if main.focused is main.queue:
        return (("Enter", "change"), ("x", "remove"), *_now(main), ("Esc", "back"))
    if main.prompt.edited is not None:
        return (("Enter", "put it back in its place"), *_now(main), ("Esc", "leave it as it was"))
    if panel.active is not None:
        answer = "Tab" if panel.open_form is not None and not main.prompt.unfinished else "{fold}"
        return ((answer, "answer"), *_sending(main))
    return _over_queue(main) if main.queue.display else _sending(main)


def _sending(main: "MainScreen") -> Keys:
    if main.turn_runs:
        after = ("Enter", "send after the turn")
        return (after, *_now(main), ("Esc Esc", "abort"), ("^J", "newline"))
    return (("Enter", "send"), ("^J", "newline"))


def _over_queue(main: "MainScreen") -> Keys:
    abort: Keys = (("Esc Esc", "abort"),) if main.turn_runs else ()
    if not main.queue.all_held:
        where = "send before what is held" if main.queue.some_held else "send after these"
        return (*_if_written(main, where), ("⇧Tab", "what waits"), *abort)
    if main.turn_runs:
        return (*_if_written(main, "send after the turn, before these"), ("⇧Tab", "what is held"), *abort)
    return (*_if_written(main, "send before these")[:1], ("⇧Tab", "what is held"), ("{release}", "let it go on"))


def _if_written(main: "MainScreen", enter: str) -> Keys:
    """Over a queue Enter looks as if it were for that: it is named once there is something of its own to send."""
    return (("Enter", enter), *_now(main)) if main.prompt.has_words else ()


def _now(main: "MainScreen") -> Keys:
    """Only where the server takes a prompt as it is now."""
    return (("^S", "send now"),) if main.takes_now else ()
