"""Selects the keys that work now for the footer, and the part whose keys the help lists."""

from typing import Any, Protocol

from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, TextArea

from tui.config.key_lookup import Keys, hints
from tui.config.keymap import Scope
from tui.ui.terminal_input import TextBurst
from tui.widgets.prompt.prompt import PromptBox
from tui.widgets.prompt.queue_list import QueueList
from tui.widgets.requests.panel import RequestPanel
from tui.widgets.requests.request_form import RequestForm
from tui.widgets.transcript.view import TranscriptView

ANSWERS = frozenset("123456789npx")
"""Keys of a question that have no binding."""


class Main(Protocol):
    """The main screen, as far as the hints depend on it."""

    panel: RequestPanel
    transcript: TranscriptView
    queue: QueueList
    prompt: PromptBox
    turn_runs: bool
    takes_now: bool

    @property
    def focused(self) -> Widget | None: ...
    @property
    def searching(self) -> bool: ...
    @property
    def just_focused(self) -> bool: ...


def part_of(screen: object, main: Main) -> str:
    """Return which of `PARTS` has the focus: the open dialog, or a part of the main screen."""
    if screen is not main:
        return getattr(screen, "PART", "the command list")
    if main.searching:
        return "the search"
    if main.panel.has_focus_within:
        return "the question"
    if main.transcript.has_focus_within:
        return "the transcript"
    return "the queued prompts" if main.focused is main.queue else "the prompt"


def named(main: Main) -> Keys:
    """Return the keys for the footer, most important first."""
    keys = _of_the_moment(main)
    if main.focused is main.prompt and main.prompt.input_guard.runs:
        keys = tuple(hint for hint in keys if hint.pressed != ("enter",))
    completions = main.prompt.completions
    if completions.is_open:
        take = "take" if completions.entered(main.prompt.unfinished) else "take_marked"
        chosen, *moves = hints(Scope.COMPLETIONS, take, "move(-1)", "move(1)", "close")
        return (chosen, *moves, *(hint for hint in keys if hint.pressed != chosen.pressed))
    return (*hints(Scope.PROMPT, "complete"), *keys) if completes(main) else keys


def are_keys(screen: Screen[Any], burst: TextBurst) -> bool:
    """Whether the focused part handles each character of the burst as a key, rather than as a paste."""
    focused, text = screen.focused, burst.text
    if isinstance(focused, Input):
        return not burst.is_paste or text.count("\r") == 1  # Enter leaves the field: what follows is for another part
    if isinstance(focused, TextArea):
        return not burst.is_paste
    answers = isinstance(focused, RequestForm)
    if answers and text[0].isdecimal() and not burst.is_paste:
        return True  # it may open the field, which takes the rest
    bound = screen.active_bindings
    return all(key.key in bound or (answers and key.key in ANSWERS) for key in burst.keys)


def completes(main: Main) -> bool:
    """Whether Tab completes the word at the cursor."""
    return main.focused is main.prompt and bool(main.prompt.unfinished)


def _of_the_moment(main: Main) -> Keys:
    panel = main.panel
    if main.searching:
        return hints(Scope.SEARCH, "go(-1)", "go(1)", "leave")
    if panel.has_focus_within:
        return (
            panel.keys if main.just_focused or panel.input_guard.runs else (*panel.keys, *hints(Scope.REQUEST, "leave"))
        )
    if main.transcript.has_focus_within:
        return (
            *hints(Scope.TRANSCRIPT, "scroll_up", "scroll_down", "next_fold", "previous_fold"),
            *hints(Scope.TOOL_CALL, "unfold", "more"),
            *hints(Scope.TRANSCRIPT, "scroll_end"),
            *hints(Scope.MAIN, "search", "copy_code"),
            *hints(Scope.TRANSCRIPT, "screen.back"),
        )
    if main.focused is main.queue:
        return (*hints(Scope.QUEUE, "edit", "remove"), *_now(main), *hints(Scope.QUEUE, "screen.back"))
    if main.prompt.edited is not None:
        return (*hints(Scope.PROMPT, "save"), *_now(main), *hints(Scope.PROMPT, "cancel_edit"))
    if panel.active is not None:
        answers = panel.open_form is not None and not main.prompt.unfinished
        return (*hints(Scope.MAIN, "next_part" if answers else "fold"), *_sending(main))
    return _over_queue(main) if main.queue.display else _sending(main)


def _sending(main: Main) -> Keys:
    newline = hints(Scope.EDITOR, "newline")
    if main.turn_runs:
        return (*hints(Scope.PROMPT, "send_after_turn"), *_now(main), *hints(Scope.APP, "abort"), *newline)
    return (*hints(Scope.PROMPT, "send"), *newline)


def _over_queue(main: Main) -> Keys:
    queue, abort = hints(Scope.MAIN, "next_part(-1)"), hints(Scope.APP, "abort") if main.turn_runs else ()
    if not main.queue.all_held:
        return (
            *_if_written(main, "send_before_paused" if main.queue.some_held else "send_after_queue"),
            *queue,
            *abort,
        )
    if main.turn_runs:
        return (*_if_written(main, "send_between"), *queue, *abort)
    return (*_if_written(main, "send_before_queue")[:1], *queue, *hints(Scope.APP, "release"))


def _if_written(main: Main, enter: str) -> Keys:
    """Return the keys for sending above a queue; none without text, as Enter would seem to act on the queue."""
    return (*hints(Scope.PROMPT, enter), *_now(main)) if main.prompt.has_words else ()


def _now(main: Main) -> Keys:
    """Return the key for sending now, if the server accepts a prompt now."""
    return hints(Scope.PROMPT, "send_now") if main.takes_now else ()
