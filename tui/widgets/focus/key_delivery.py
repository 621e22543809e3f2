"""Queues a key or a paste for a widget so that an editing key is completed before the next key is read.

Textual posts an unhandled key to each ancestor in turn and runs the bindings when it reaches the app. A letter typed
after Backspace would be inserted first, and Backspace would delete that letter.
"""

from textual import events
from textual.dom import DOMNode
from textual.widgets import Input, TextArea


class Key(events.Key, bubble=False):
    """A key event that Textual does not post to the ancestors."""


def edits(target: DOMNode | None, key: str) -> bool:
    """Whether `target` is a text field and the key only edits its text or moves its cursor."""
    return isinstance(target, Input | TextArea) and key != "enter" and key in target._bindings.key_to_bindings


def send(target: DOMNode, event: events.Key | events.Paste) -> bool:
    """Queue a copy of the event for `target`; return False if `target` no longer accepts messages."""
    if isinstance(event, events.Paste):
        copy: events.Key | events.Paste = events.Paste(event.text)
    elif edits(target, event.key):
        return target.call_later(_handle_at_once, target, Key(event.key, event.character))
    else:
        copy = events.Key(event.key, event.character)
    copy._set_forwarded()
    return target.post_message(copy)


async def _handle_at_once(target: DOMNode, key: Key) -> None:
    """Dispatch the key like Textual, up to the app, but within one message of `target`."""
    key._set_forwarded()
    for node in target.ancestors_with_self:
        if node.check_message_enabled(key):
            key.prevent_default(False)
            await node._dispatch_message(key)
        if key._stop_propagation or not (node.is_parent_active and node.is_attached):
            return
