"""Textual's bindings of a scope of `tui.config.keymap`."""

from textual.binding import Binding, BindingType

from tui.config.key_lookup import KEYS, rebindable_action
from tui.config.keymap import TABLE, Scope


def bindings(scope: Scope) -> list[BindingType]:
    """Return a binding per key, with its default; Textual replaces those with an id by the user's keymap."""
    found: dict[str, Binding] = {}
    for row in TABLE:
        if row.scope is not scope or not row.action or " " in row.keys:
            continue
        chosen = rebindable_action(row) or None
        priority = row.priority or row.rebindable
        for name in filter(None, (KEYS[chosen] if chosen else row.keys).split(",")):
            found.setdefault(name, Binding(name, row.action, row.help, show=False, priority=priority, id=chosen))
    return list(found.values())
